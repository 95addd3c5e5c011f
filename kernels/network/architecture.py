"""What a network looks like: parallel branches from the input, summed, then a trunk of layers.

Notation (one line, the same in params.yaml, in tables and in error messages):

    dense 100 > relu > dense 1                                   a plain network
    (dense 1 | relu > dense 1 | relu > relu > dense 1) > dense 1 branches a | b | c, summed, then further layers

The last layer is always `dense n_outputs` with nothing behind it: networks end linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


Layer = Dense | Activation
Path = tuple[Layer, ...]


@dataclass(frozen=True)
class Architecture:
    """A network: `branches` (empty for a plain network) are summed and go through `trunk`."""

    branches: tuple[Path, ...]
    trunk: Path

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Read the notation; raises ValueError naming the part that is wrong."""
        text = text.strip()
        if not text.startswith("("):
            return cls((), _parse_path(text))
        head, closed, tail = text[1:].partition(")")
        if not closed:
            raise ValueError(f"'{text}': the branches' opening '(' is never closed")
        tail = tail.strip()
        if tail and not tail.startswith(">"):
            raise ValueError(f"'{tail}': expected '>' and a layer after the branches")
        branches = tuple(_parse_path(part) for part in head.split("|"))
        return cls(branches, _parse_path(tail[1:]) if tail else ())

    @classmethod
    def plain(cls, hidden_sizes: Sequence[int], activation: str, n_outputs: int) -> Architecture:
        """Multi-layer perceptron: every hidden layer is `dense size > activation`, the output is linear."""
        hidden = [layer for size in hidden_sizes for layer in (Dense(size), Activation(activation))]
        return cls((), (*hidden, Dense(n_outputs)))

    def with_output(self, n_outputs: int) -> Architecture:
        """The same network with a linear output layer of `n_outputs` units appended."""
        return Architecture(self.branches, (*self.trunk, Dense(n_outputs)))

    @property
    def n_outputs(self) -> int:
        """Units of the last layer; raises ValueError if that is not a dense layer."""
        last = self.trunk[-1] if self.trunk else None
        if not isinstance(last, Dense):
            raise ValueError(f"'{self}': the last layer must be 'dense N'")
        return last.units

    @property
    def activations(self) -> list[str]:
        """Names of its activations in the order of ACTIVATIONS, each once."""
        layers = {layer for path in (*self.branches, self.trunk) for layer in path}
        return [name for name in ACTIVATIONS if Activation(name) in layers]

    def check(self, n_features: int) -> None:
        """Raise ValueError where a layer cannot be written, the last is not dense, or branches cannot be summed."""
        _ = Architecture.parse(str(self)), self.n_outputs, self.branch_units(n_features)

    def branch_units(self, n_features: int) -> int:
        """Units that every branch ends with; raises ValueError where they differ and cannot be summed."""
        units = {_units_after(branch, n_features) for branch in self.branches}
        if len(units) > 1:
            raise ValueError(f"'{self}': branches end with {sorted(units)} units; summed branches need equally many")
        return units.pop() if units else n_features

    def __str__(self) -> str:
        trunk = " > ".join(map(str, self.trunk))
        if not self.branches:
            return trunk
        group = "(" + " | ".join(" > ".join(map(str, branch)) for branch in self.branches) + ")"
        return f"{group} > {trunk}" if trunk else group


def _units_after(path: Path, n_features: int) -> int:
    return next((layer.units for layer in reversed(path) if isinstance(layer, Dense)), n_features)


def _parse_path(text: str) -> Path:
    return tuple(_parse_layer(part.strip()) for part in text.split(">"))


def _parse_layer(text: str) -> Layer:
    if text in ACTIVATIONS:
        return Activation(text)
    word, _, size = text.partition(" ")
    if word == "dense" and size.strip().isdecimal() and int(size) > 0:
        return Dense(int(size))
    raise ValueError(f"'{text}' is not a layer; allowed: 'dense N' with N >= 1, {', '.join(ACTIVATIONS)}")
