"""What a network looks like: layers one behind the other, some of which are groups of branches.

Notation (one line, the same in params.yaml, in tables and in error messages):

    dense 100 > relu > dense 1                                      a plain network
    (dense 1 | relu > dense 1 | relu > relu > dense 1) > dense 1    branches a | b | c, summed, then further layers
    dense 8 > (skip | relu > dense 8) > dense 1                     skip is the identity: a residual block
    (dense 4 > relu & dense 3 > tanh) > dense 1                     branches a & b, their units side by side
    dense 64 > relu > dropout 0.2 > dense 1                         dropout with probability 0.2, in training alone

Groups stand anywhere, in each other too. The last layer is always `dense n_outputs` with nothing behind it: networks
end linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

ACTIVATIONS = (
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "softsign",
    "leaky_relu",
    "elu",
    "selu",
    "softplus",
    "gelu",
    "silu",
    "mish",
    "sin",
)
"""Names of the activations, of which each is a file in activations/; the position is the code that kernels use."""
DEEPEST = 16
"""Groups that may stand inside each other."""


@dataclass(frozen=True)
class Dense:
    """An affine layer z = W a + b with `units` outputs."""

    units: int

    def __str__(self) -> str:
        return f"dense {self.units}"


@dataclass(frozen=True)
class Activation:
    """An element-wise function, one of ACTIVATIONS."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Dropout:
    """Sets units to 0 with probability `rate`, between 0 and 1, while a network is trained (dropout.py)."""

    rate: float

    def __str__(self) -> str:
        return f"dropout {self.rate}"


@dataclass(frozen=True)
class Group:
    """Branches that go out from the same values; one without layers is the identity, `skip`."""

    branches: tuple[Path, ...]
    sign: ClassVar[str]

    def __str__(self) -> str:
        return "(" + f" {self.sign} ".join(_text(branch) or "skip" for branch in self.branches) + ")"


class Sum(Group):
    """The sum of its branches."""

    sign = "|"


class Concat(Group):
    """The units of its branches, two or more, one behind the other."""

    sign = "&"


Layer = Dense | Activation | Dropout | Sum | Concat
Path = tuple[Layer, ...]


@dataclass(frozen=True)
class Architecture:
    """A network, by its layers."""

    layers: Path

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Read the notation; raises ValueError naming the part that is wrong."""
        return cls(_Reader(text).network())

    @classmethod
    def plain(cls, hidden_sizes: Sequence[int], activation: str, n_outputs: int) -> Architecture:
        """Multi-layer perceptron: every hidden layer is `dense size > activation`, the output is linear."""
        hidden = [layer for size in hidden_sizes for layer in (Dense(size), Activation(activation))]
        return cls((*hidden, Dense(n_outputs)))

    def with_output(self, n_outputs: int) -> Architecture:
        """The same network with a linear output layer of `n_outputs` units appended."""
        return Architecture((*self.layers, Dense(n_outputs)))

    @property
    def n_outputs(self) -> int:
        """Units of the last layer; raises ValueError if that is not a dense layer."""
        last = self.layers[-1] if self.layers else None
        if not isinstance(last, Dense):
            raise ValueError(f"'{self}': the last layer must be 'dense N'")
        return last.units

    @property
    def activations(self) -> list[str]:
        """Names of its activations in the order of ACTIVATIONS, each once."""
        layers = {*every_layer(self.layers)}
        return [name for name in ACTIVATIONS if Activation(name) in layers]

    def check(self, n_features: int) -> None:
        """Raise ValueError where a layer cannot be written, the last is not dense, or branches cannot be summed."""
        if Architecture.parse(str(self)) != self:
            raise ValueError(f"'{self}' is not how {self!r} would be written; allowed: what the notation can say")
        _ = self.n_outputs, units_after(self.layers, n_features)

    def __str__(self) -> str:
        return _text(self.layers)


def units_after(path: Path, units: int) -> int:
    """Units that a path ends with where `units` go in; raises ValueError where branches cannot be summed."""
    for layer in path:
        if isinstance(layer, Dense):
            units = layer.units
        elif isinstance(layer, Group):
            ends = [units_after(branch, units) for branch in layer.branches]
            if isinstance(layer, Sum) and len(set(ends)) > 1:
                found = f"branches end with {sorted(set(ends))} units in '{layer}'"
                raise ValueError(f"{found}; summed branches need equally many")
            units = ends[0] if isinstance(layer, Sum) else sum(ends)
    return units


def every_layer(path: Path) -> Iterator[Layer]:
    """The layers of a path in the order of the notation, a group before those in its branches."""
    for layer in path:
        yield layer
        if isinstance(layer, Group):
            for branch in layer.branches:
                yield from every_layer(branch)


def _text(path: Path) -> str:
    return " > ".join(map(str, path))


class _Reader:
    """Reads the notation: a path is layers with > between them, a layer may be a group of paths in brackets."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.words = [(m.start(), m.group()) for m in re.finditer(r"[()|&>]|[^()|&>\s][^()|&>]*", text)]
        self.at = 0

    @property
    def word(self) -> str:
        return self.words[self.at][1].rstrip() if self.at < len(self.words) else ""

    def rest(self, at: int) -> str:
        return self.text[self.words[at][0] :].strip()

    def network(self) -> Path:
        layers = self.path(0)
        if self.word == ")":
            raise ValueError(f"'{self.rest(self.at)}': its ')' closes no branches")
        if self.word:
            raise ValueError(f"'{self.rest(self.at)}': '{self.word}' stands between branches, which are in brackets")
        return layers

    def path(self, depth: int) -> Path:
        layers = [self.layer(depth)]
        while self.word == ">":
            self.at += 1
            layers.append(self.layer(depth))
        return tuple(layers)

    def layer(self, depth: int) -> Layer:
        if self.word == "(":
            return self.group(depth + 1)
        text = "" if self.word in (")", "|", "&", ">") else self.word
        self.at += bool(text)
        layer = _layer(text)
        if self.word == "(":
            raise ValueError(f"'{self.rest(self.at)}': expected '>' between '{text}' and branches")
        return layer

    def group(self, depth: int) -> Layer:
        opening = self.at
        if depth > DEEPEST:
            raise ValueError(f"branches inside branches more than {DEEPEST} deep; allowed: up to {DEEPEST}")
        branches, signs = [], set()
        while True:
            self.at += 1
            branches.append(self.branch(depth))
            if self.word not in ("|", "&"):
                break
            signs.add(self.word)
        if self.word != ")":
            raise ValueError(f"'{self.rest(opening)}': the branches' opening '(' is never closed")
        self.at += 1
        end = self.words[self.at][0] if self.at < len(self.words) else len(self.text)
        if len(signs) > 1:
            text = self.text[self.words[opening][0] : end].strip()
            raise ValueError(f"'{text}': branches with | and & between them; allowed: one of them, or inner brackets")
        if self.word not in ("", ">", "|", "&", ")"):
            raise ValueError(f"'{self.rest(self.at)}': expected '>' and a layer after the branches")
        return Concat(tuple(branches)) if "&" in signs else Sum(tuple(branches))

    def branch(self, depth: int) -> Path:
        if self.word == "skip" and self.next_word() in ("|", "&", ")"):
            self.at += 1
            return ()
        if self.word in ("|", "&", ")"):
            raise ValueError("a branch has no layers; allowed: layers, or 'skip', which hands on what goes in")
        return self.path(depth)

    def next_word(self) -> str:
        return self.words[self.at + 1][1] if self.at + 1 < len(self.words) else ""


def _layer(text: str) -> Layer:
    if text in ACTIVATIONS:
        return Activation(text)
    word, _, number = text.partition(" ")
    number = number.strip()
    if word == "dense" and number.isdecimal() and int(number) > 0:
        return Dense(int(number))
    if word == "dropout" and re.fullmatch(r"\d*\.?\d+(e-\d+)?", number) and 0 < float(number) < 1:
        return Dropout(float(number))
    allowed = f"'dense N' with N >= 1, {', '.join(ACTIVATIONS)}, 'dropout P' with 0 < P < 1, 'skip' as a whole branch"
    raise ValueError(f"'{text}' is not a layer; allowed: {allowed}")
