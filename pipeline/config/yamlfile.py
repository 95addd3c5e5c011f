"""A YAML 1.2 file as plain dicts and lists, with the faults of its keys: given twice, or not text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.config.faults import ConfigError, Fault, below

TEXT_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


def read(path: Path) -> tuple[object, list[Fault]]:
    """The file's value, and the faults of its keys.

    Of a repeated key the first value counts. A key that is not text becomes text; it is a fault because DVC passes
    over a sweep of such a name without a word.

    Raises ConfigError where the file is missing or cannot be read as YAML.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        return _text_keys(_yaml().load(text)), list(_key_faults(_yaml().compose(text), "", set()))
    except FileNotFoundError:
        fault = Fault("", "no such file", "a file in the folder that shoal is run in")
    except OSError as error:
        fault = Fault("", f"a file that cannot be read ({error.strerror})", "a readable file")
    except UnicodeDecodeError as error:
        fault = Fault(f"byte {error.start + 1}", "bytes that are not UTF-8 text", "UTF-8")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ": ".join(text for text in (error.context, error.problem) if text)
        fault = Fault(f"line {mark.line + 1}, column {mark.column + 1}", f"a fault in the YAML ({problem})", "YAML 1.2")
    except (YAMLError, ValueError) as error:
        fault = Fault("", f"a fault in the YAML ({str(error).splitlines()[0]})", "YAML 1.2")
    except RecursionError:
        fault = Fault("", "values nested without end", "YAML 1.2, no alias inside the value of its own anchor")
    raise ConfigError([fault])


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    return yaml


def _text_keys(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _text_keys(inner) for key, inner in value.items()}
    return [_text_keys(inner) for inner in value] if isinstance(value, list) else value


def _key_faults(node: Node | None, where: str, seen: set[int]) -> Iterator[Fault]:
    """Faults of the keys at or below a node; a node that several aliases share is looked at once."""
    if node is None or id(node) in seen:
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
