"""What is wrong with the user's files: one fault, one line that names the place, the value and what is allowed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from shoal.pipeline.errors import ShoalError

PARAMS = "params.yaml"
LONGEST_SHOWN = 100
"""Characters of a value that are shown in a message."""


@dataclass(frozen=True)
class Fault:
    """One fault: `where` in `file` (a key's path; empty for the whole file), what was `found`, what is `allowed`."""

    where: str
    found: str
    allowed: str
    file: str = PARAMS

    def __str__(self) -> str:
        place = f"{self.file}: {self.where}" if self.where else self.file
        return _one_line(f"{place}: found {self.found}; allowed: {self.allowed}")


@dataclass(frozen=True)
class Notice:
    """What looks wrong and need not be: `where` in `file`, what was `found`, and the `way_out` if it is wrong."""

    where: str
    found: str
    way_out: str
    file: str = PARAMS

    def __str__(self) -> str:
        return _one_line(f"warning: {self.file}: {self.where}: {self.found}; {self.way_out}")


def _one_line(text: str) -> str:
    """The text with what is no letter on a line as Python writes it: names of columns may have line breaks."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


class ConfigError(ShoalError):
    """The user's files have `faults`; the message holds all of them, one a line."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("\n".join(map(str, self.faults)))


def refusal(allowed: str, found: str | None = None) -> PydanticCustomError:
    """The error that a validator raises to say itself what is allowed (and what was found, if not just the value)."""
    return PydanticCustomError("refusal", "{allowed}", {"allowed": allowed, "found": found})


def meant(name: str, known: Collection[str]) -> str | None:
    """The known name that resembles the given one most, if any does."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?` where a known name resembles the given one, else nothing."""
    close = meant(name, known)
    return f"; did you mean '{close}'?" if close else ""


def shown(value: object) -> str:
    """A value as messages show it: text in quotes, YAML's words for nothing, true and false, long ones cut."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return cut(repr(value))


def cut(text: str) -> str:
    """The text, no longer than LONGEST_SHOWN."""
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def below(where: str, key: str | int) -> str:
    """The path of a key or list index below the path `where`; a key that is no plain word stands in quotes."""
    if isinstance(key, int):
        return f"{where}[{key}]"
    word = key if re.fullmatch(r"[^\s.'\"\[\]]+", key) else repr(key)
    return f"{where}.{word}" if where else word


def faults_of(error: ValidationError, model: type[BaseModel], raw: object) -> list[Fault]:
    """One fault for each error that `model` found in `raw`, with the paths that `raw` itself has.

    A missing key that an unknown one resembles is told with the unknown one.
    """
    errors = error.errors(include_url=False)
    unknown = [details["loc"] for details in errors if details["type"] == "extra_forbidden"]
    misspelt = {(*loc[:-1], meant(str(loc[-1]), _owner(model, loc)[0].model_fields)) for loc in unknown}
    told = [details for details in errors if details["type"] != "missing" or details["loc"] not in misspelt]
    return [_fault(details, model, raw) for details in told]


def _fault(details: Any, model: type[BaseModel], raw: object) -> Fault:
    kind, loc = details["type"], details["loc"]
    where, value = _descend(raw, loc)
    owner, allowed = _owner(model, loc)
    keys = ", ".join(owner.model_fields)
    if kind == "extra_forbidden":
        return Fault(where, "an unknown key", keys + did_you_mean(loc[-1], owner.model_fields))
    if kind == "missing":
        return Fault(below(where, loc[-1]), "nothing", allowed)
    if kind == "model_type":
        return Fault(where, "nothing" if value is None else shown(value), f"a mapping with the keys {keys}")
    found = shown(details["input"] if loc[-1] == "[key]" else value)
    if kind == "refusal":
        return Fault(where, details["ctx"]["found"] or found, details["ctx"]["allowed"])
    return Fault(where, found, allowed)


def _descend(raw: object, loc: Iterable[str | int]) -> tuple[str, object]:
    """Path and value of the part of `raw` at `loc`, passing over the steps that validators put in between."""
    where = ""
    for part in loc:
        inside = dict(enumerate(raw)) if isinstance(raw, list) else raw
        if isinstance(inside, dict) and part in inside:
            where, raw = below(where, part), inside[part]
    return where, raw


def _owner(model: type[BaseModel], loc: Iterable[str | int]) -> tuple[type[BaseModel], str]:
    """The innermost model that `loc` leads into, and the description of the innermost field on the way."""
    allowed = ""
    parts = iter(loc)
    for part in parts:
        field = model.model_fields.get(str(part))
        if field is None:
            break
        allowed = field.description or ""
        by_name, kinds = get_origin(field.annotation) is dict, (field.annotation, *get_args(field.annotation))
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if inner is None:
            break
        model = inner
        if by_name:
            next(parts, None)
    return model, allowed
