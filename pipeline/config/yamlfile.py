"""A YAML 1.2 file as plain dicts and lists, with the faults of its keys: given twice, or not text.

Whatever the file holds, it is read or refused in bounded time and memory.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, Event, NodeEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.parser import Parser

from shoal.pipeline.config.faults import ConfigError, Fault, below, shown

STANDARD_TAG = "tag:yaml.org,2002:"
TEXT_TAGS = (STANDARD_TAG + "str", STANDARD_TAG + "merge")
NUMBER_TAGS = (STANDARD_TAG + "int", STANDARD_TAG + "float")
LARGEST = 250_000
"""Bytes of a file that is read."""
MOST_NODES = 10_000
"""Values of a file, keys included, with its aliases written out."""
DEEPEST = 50
"""Levels of nested values in a file; params.yaml needs six."""
LONGEST_NUMBER = 100
"""Characters of a number."""
HALF_A_LETTER = re.compile("[\ud800-\udfff]")
"""Two of these are a letter in JSON, but not in YAML."""


def read(path: Path) -> tuple[object, list[Fault]]:
    """The file's value, and the faults of its keys.

    Of a repeated key the first value counts. A key that is not text becomes text; it is a fault because DVC passes
    over a sweep of such a name without a word.

    Raises ConfigError where the file is missing, cannot be read as YAML, or has no end that memory holds.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", YAMLWarning)  # of an anchor's name used twice, say, which YAML allows
            return deepcopy(_read(_text(path)))  # who asks may change it
    except FileNotFoundError:
        fault = Fault("", "no such file", "a file in the folder that shoal is run in")
    except OSError as error:
        fault = Fault("", f"a file that cannot be read ({error.strerror})", "a readable file")
    except UnicodeDecodeError as error:
        fault = Fault(f"byte {error.start + 1}", "bytes that are not UTF-8 text", "UTF-8")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(": ".join(text for text in (error.context, error.problem) if text).split())
        fault = Fault(f"line {mark.line + 1}, column {mark.column + 1}", f"a fault in the YAML ({problem})", "YAML 1.2")
    except (YAMLError, ValueError, AssertionError) as error:  # the last for %YAML 1.3
        fault = Fault("", f"a fault in the YAML ({str(error).splitlines()[0]})", "YAML 1.2")
    raise ConfigError([fault])


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ConfigError([Fault("", f"a file of more than {LARGEST:,} bytes", f"up to {LARGEST:,} bytes")])
    return content.decode("utf-8-sig")


@lru_cache(maxsize=1)
def _read(text: str) -> tuple[object, list[Fault]]:
    """What `read` gives; the text is measured while it is read, and again before aliases are expanded."""
    yaml = _yaml()
    root = yaml.compose(text)
    if root is None:
        return None, []
    if faults := [*_expansion_faults(root), *_scalar_faults(root, set())]:
        raise ConfigError(faults)
    key_faults = list(_key_faults(root, "", set()))  # before values are made of the nodes, which writes out merge keys
    return _text_keys(yaml.constructor.construct_document(root)), key_faults


class _Bounded(Parser):
    """A parser that raises ConfigError where the text has more values, or nests them deeper, than is sensible, and
    where one has a tag: nothing is read, or made of what is read, beyond that place."""

    nodes = depth = 0

    def get_event(self) -> Event:
        event: Event = super().get_event()
        self.nodes += isinstance(event, NodeEvent)
        self.depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if self.nodes > MOST_NODES:
            _refuse(event, f"more than {MOST_NODES:,} values", f"up to {MOST_NODES:,} values, keys included")
        if self.depth > DEEPEST:
            _refuse(event, "values nested too deep", f"values nested up to {DEEPEST} deep")
        if tag := getattr(event, "tag", None):
            found = f"the tag {shown(str(tag).replace(STANDARD_TAG, '!!'))}"
            _refuse(event, found, "values without tags, such as 3, true or [a, b]")
        return event


def _refuse(event: Event, found: str, allowed: str) -> None:
    raise ConfigError([Fault(f"line {event.start_mark.line + 1}", found, allowed)])


def _expansion_faults(root: Node) -> Iterator[Fault]:
    """A fault where aliases, written out, would make too many or too deep values of the file, or go on for ever."""
    known: dict[int, tuple[int, int]] = {}
    unfinished = (0, 0)

    def measured(node: Node) -> tuple[int, int]:
        """Values that the node stands for, and their levels."""
        if id(node) not in known:
            known[id(node)] = unfinished
            parts = [measured(part) for part in _parts(node)]
            known[id(node)] = 1 + sum(n for n, _ in parts), 1 + max((levels for _, levels in parts), default=-1)
        elif known[id(node)] == unfinished:
            endless = "YAML 1.2, no alias inside the value of its own anchor"
            raise ConfigError([Fault("", "values nested without end", endless)])
        return known[id(node)]

    nodes, levels = measured(root)
    if nodes > MOST_NODES:
        allowed = f"up to {MOST_NODES:,} values, keys included and aliases written out"
        yield Fault("", f"aliases that stand for more than {MOST_NODES:,} values", allowed)
    elif levels > DEEPEST:
        yield Fault("", "values nested too deep", f"values nested up to {DEEPEST} deep, aliases written out")


def _scalar_faults(node: Node, seen: set[int]) -> Iterator[Fault]:
    """Numbers with more digits than any key has a use for, which Python may refuse to print, and text that is none."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, ScalarNode) and node.tag in NUMBER_TAGS and len(node.value) > LONGEST_NUMBER:
        found = f"a number of {len(node.value):,} digits"
        yield Fault(f"line {node.start_mark.line + 1}", found, f"numbers of up to {LONGEST_NUMBER} digits")
    if isinstance(node, ScalarNode) and (half := HALF_A_LETTER.search(node.value)):
        found = f"the escape \\u{ord(half[0]):x}, half of a letter"
        allowed = "the letter itself, or its escape of eight digits, such as \\U0001F600"
        yield Fault(f"line {node.start_mark.line + 1}", found, allowed)
    for part in _parts(node):
        yield from _scalar_faults(part, seen)


def _parts(node: Node) -> list[Node]:
    """The nodes right below a node, keys included."""
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, SequenceNode) else []


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    yaml.Parser = _Bounded
    return yaml


def _text_keys(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _text_keys(inner) for key, inner in value.items()}
    return [_text_keys(inner) for inner in value] if isinstance(value, list) else value


def _key_faults(node: Node, where: str, seen: set[int]) -> Iterator[Fault]:
    """Faults of the keys at or below a node; a node that several aliases share is looked at once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, SequenceNode):
        for i, item in enumerate(node.value):
            yield from _key_faults(item, below(where, i), seen)
    elif isinstance(node, MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else "?"
            line = key.start_mark.line + 1
            if key.tag not in TEXT_TAGS:
                yield Fault(below(where, name), "a key that is not text", "text; put the key in quotes")
            if name in lines:
                found = f"the key a second time, in line {line}"
                yield Fault(below(where, name), found, f"each key once (the first is in line {lines[name]})")
            lines.setdefault(name, line)
            yield from _key_faults(value, below(where, name), seen)
