"""Kinds of values in params.yaml: what turns YAML's scalars and lists into tuples, and what refuses them."""

from __future__ import annotations

import re
from collections.abc import Collection
from math import inf
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from shoal.kernels.network.architecture import ACTIVATIONS, Architecture
from shoal.kernels.network.laws import BIASES, INITIALISERS
from shoal.pipeline.config.faults import cut, refusal, shown
from shoal.pipeline.config.yamlfile import LONGEST_NUMBER
from shoal.pipeline.hyperparameters import KEPT, LOSSES, METHODS, SCHEDULES

T = TypeVar("T")

LONGEST_NAME = 100
"""Letters of a name: files are named after it, and file systems allow 255 with what is added to it."""
LONGEST_LINE = 100
"""Characters of a line of text that a document shows as a heading."""
LAST_PORT = 2**16 - 1


def _as_tuple(raw: Any) -> Any:
    return tuple(raw) if isinstance(raw, list) else raw


def _scalar_or_list(raw: Any) -> tuple[Any, ...]:
    return tuple(raw) if isinstance(raw, list) else (raw,)


def _by_activation(raw: Any) -> dict[Any, Any]:
    return raw if isinstance(raw, dict) else {"all": raw}


def _for_all(raw: Any) -> dict[str, Any]:
    return {"all": raw}


def _lists_of_lists(raw: Any) -> tuple[tuple[Any, ...], ...]:
    if not (isinstance(raw, list) and all(isinstance(sizes, list) for sizes in raw)):
        raise ValueError("not a list of lists")
    return tuple(map(tuple, raw))


def _distinct(values: tuple[T, ...]) -> tuple[T, ...]:
    if not values:
        raise refusal("a list with at least one value")
    if len(set(values)) < len(values):
        raise refusal("a list in which no value comes twice")
    return values


def _one_of(names: Collection[str]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in names:
            raise ValueError(value)
        return value

    return AfterValidator(check)


def _choose(value: Any) -> Any:
    if value in ("network", "cell"):
        return value
    if isinstance(value, dict) and list(value) == ["best"] and type(value["best"]) is int and value["best"] >= 1:
        return value
    raise ValueError(value)


def _batch_size(value: Any) -> Any:
    if value == "full" or (type(value) is int and value >= 1):
        return value
    raise ValueError(value)


def _name(value: str) -> str:
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]*", value):
        raise refusal("names of letters (a to z), digits, - and _, with a letter or digit first")
    if len(value) > LONGEST_NAME:
        raise refusal(f"names of up to {LONGEST_NAME} letters", f"a name of {len(value)} letters")
    return value


def _line(text: str) -> str:
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_LINE:
        raise ValueError(text)
    return text


def _address(value: str) -> str:
    """A host, in brackets where it is numbers of IPv6, and a port, of a scheduler without or with TLS."""
    found = re.fullmatch(r"((tcp|tls)://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):([0-9]{1,5})", value)
    if value != "local" and not (found and 1 <= int(found[4]) <= LAST_PORT):
        raise ValueError(value)
    return value


def _text_or_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value in (inf, -inf) or value != value:
        raise ValueError(value)
    return value


def _architecture(text: Any) -> Architecture:
    """The network that a text describes; refuses text that the parser does, in its words."""
    if not isinstance(text, str):
        raise ValueError(text)
    if re.search(rf"\d{{{LONGEST_NUMBER + 1}}}", text):
        raise refusal(f"numbers of up to {LONGEST_NUMBER} digits")
    try:
        return Architecture.parse(text)
    except ValueError as error:
        problem, _, allowed = str(error).partition("; allowed: ")
        form = "layers such as 'dense 10 > relu', or branches in brackets: '(dense 1 | relu > dense 1) > tanh'"
        raise refusal(allowed or form, f"{shown(text)}, where {cut(problem)}") from None


def _distinct_networks(architecture: dict[str, Architecture]) -> dict[str, Architecture]:
    if not architecture:
        raise refusal("at least one network under a name")
    if len(set(architecture.values())) < len(architecture):
        raise refusal("each network under one name only")
    return architecture


Seed = Annotated[int, Field(ge=0, lt=2**32)]
Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
BatchSize = Annotated[int | Literal["full"], PlainValidator(_batch_size)]
Choose = Annotated[Literal["network", "cell"] | dict[Literal["best"], int], PlainValidator(_choose)]
Name = Annotated[str, AfterValidator(_name)]
Address = Annotated[str, AfterValidator(_address)]
Line = Annotated[str, AfterValidator(_line)]
ColumnName = Annotated[str, Field(min_length=1)]
Blank = Annotated[str | float, PlainValidator(_text_or_number)]
Columns = Annotated[tuple[ColumnName, ...], BeforeValidator(_as_tuple), AfterValidator(_distinct)]
Blanks = Annotated[tuple[Blank, ...], BeforeValidator(_as_tuple), AfterValidator(_distinct)]
Axis = Annotated[tuple[T, ...], BeforeValidator(_scalar_or_list), AfterValidator(_distinct)]
ByActivation = Annotated[dict[str, Axis[T]], BeforeValidator(_by_activation)]
ForAll = Annotated[dict[str, Axis[T]], BeforeValidator(_for_all)]
Sizes = Annotated[tuple[Count, ...], Field(min_length=1)]
HiddenSizes = Annotated[tuple[Sizes, ...], BeforeValidator(_lists_of_lists), AfterValidator(_distinct)]
Activation = Annotated[str, _one_of(ACTIVATIONS)]
Initialiser = Annotated[str, _one_of(INITIALISERS)]
Bias = Annotated[str, _one_of(BIASES)]
MethodName = Annotated[str, _one_of(METHODS)]
ScheduleName = Annotated[str, _one_of(SCHEDULES)]
Loss = Annotated[str, _one_of(LOSSES)]
Kept = Annotated[str, _one_of(KEPT)]
Network = Annotated[Architecture, PlainValidator(_architecture)]
Networks = Annotated[dict[Name, Network], AfterValidator(_distinct_networks)]


COUNTS = "whole numbers of 1 or more"
POSITIVE = "finite numbers above 0"


class Kind(NamedTuple):
    """A kind of the values of hyper-parameters: the type of them by activation, and what messages say is allowed.

    Those that may not differ by activation are all under `all`.
    """

    by_activation: Any
    allowed: str
    may_differ: bool = True


KINDS = {
    "count": Kind(ByActivation[Count], COUNTS),
    "whole": Kind(ByActivation[Whole], "whole numbers from 0 on"),
    "positive": Kind(ByActivation[Positive], POSITIVE),
    "not_negative": Kind(ByActivation[NotNegative], "finite numbers from 0 on"),
    "fraction": Kind(ByActivation[Fraction], "numbers from 0 on, below 1"),
    "share": Kind(ByActivation[Share], "numbers between 0 and 1, neither of the two"),
    "batch": Kind(ByActivation[BatchSize], f"{COUNTS}, or full"),
    "schedule": Kind(ForAll[ScheduleName], ", ".join(SCHEDULES), may_differ=False),
    "loss": Kind(ByActivation[Loss], ", ".join(LOSSES)),
    "keep": Kind(ByActivation[Kept], ", ".join(KEPT)),
}
"""By the name that the table of hyper-parameters has for it."""
