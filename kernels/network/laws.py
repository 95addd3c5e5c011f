"""Laws of initial parameters: a function each, which draws W (fan_out, fan_in) of a layer; and laws of b (fan_out,).

A generator's draws are NumPy's; nothing else of it is needed here, so that names can be read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, NamedTuple

ASSIGNMENT_SIZES = (1, 100, 100, 1)
"""Units of the networks of the assignment's own stream, inputs and outputs included."""
ASSIGNMENT_POSITIONS = ("relu", "linear", "tanh")
"""The order in which the assignment draws its networks from the one legacy stream, after x."""


class Layer(NamedTuple):
    """A dense layer: its sizes, whether it reads the network's input, and whether it is the output layer."""

    fan_in: int
    fan_out: int
    is_first: bool
    is_last: bool

    def normal(self, generator: Any, deviation: float) -> Any:
        """W of mean 0."""
        return generator.normal(0.0, deviation, (self.fan_out, self.fan_in))

    def uniform(self, generator: Any, limit: float) -> Any:
        """W between -limit and limit."""
        return generator.uniform(-limit, limit, (self.fan_out, self.fan_in))


def zero(generator: Any, layer: Layer) -> Any:
    """b = 0, as Glorot and Bengio, He et al. and LeCun et al. have it; nothing is drawn."""
    return 0.0


def uniform(generator: Any, layer: Layer) -> Any:
    """b ~ uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in)), what PyTorch's linear layers begin with."""
    limit = 1 / sqrt(layer.fan_in)
    return generator.uniform(-limit, limit, layer.fan_out)


def _assignment_bias(generator: Any, layer: Layer) -> Any:
    return generator.uniform(-1.0, 1.0, layer.fan_out)


def assignment(generator: Any, layer: Layer) -> Any:
    """The assignment's: W ~ normal of deviation sqrt(6 / (fan_in + fan_out)); b ~ uniform(-1, 1), its own."""
    return layer.normal(generator, sqrt(6 / (layer.fan_in + layer.fan_out)))


def glorot_uniform(generator: Any, layer: Layer) -> Any:
    """Glorot and Bengio, AISTATS 2010: variance 2 / (fan_in + fan_out), for tanh."""
    return layer.uniform(generator, sqrt(6 / (layer.fan_in + layer.fan_out)))


def glorot_normal(generator: Any, layer: Layer) -> Any:
    """The same variance."""
    return layer.normal(generator, sqrt(2 / (layer.fan_in + layer.fan_out)))


def he_uniform(generator: Any, layer: Layer) -> Any:
    """He, Zhang, Ren and Sun, ICCV 2015: variance 2 / fan_in, for relu."""
    return layer.uniform(generator, sqrt(6 / layer.fan_in))


def he_normal(generator: Any, layer: Layer) -> Any:
    """The same variance."""
    return layer.normal(generator, sqrt(2 / layer.fan_in))


def lecun_uniform(generator: Any, layer: Layer) -> Any:
    """LeCun, Bottou, Orr and Mueller, Efficient BackProp, 1998: variance 1 / fan_in; for selu too."""
    return layer.uniform(generator, sqrt(3 / layer.fan_in))


def lecun_normal(generator: Any, layer: Layer) -> Any:
    """The same variance."""
    return layer.normal(generator, sqrt(1 / layer.fan_in))


def siren(generator: Any, layer: Layer, omega_0: float) -> Any:
    """Sitzmann et al., NeurIPS 2020, for sin: W ~ uniform(-1 / fan_in, 1 / fan_in) in layers that read the input, else
    uniform(-sqrt(6 / fan_in) / omega_0, sqrt(6 / fan_in) / omega_0).

    They multiply the argument of every sine by omega_0. Here W and b of all layers but the last begin omega_0 times as
    large instead (`Law.draw`): the same function, and `sin` stays sin.
    """
    return layer.uniform(generator, 1 / layer.fan_in if layer.is_first else sqrt(6 / layer.fan_in) / omega_0)


@dataclass(frozen=True)
class Law:
    """How a network begins: its W, its b where nothing else is asked for, and the numbers of its own with defaults."""

    weights: Callable[..., Any]
    bias: Callable[[Any, Layer], Any] = zero
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def allows_biases(self) -> bool:
        """Whether another law of b may be asked for."""
        return self.bias in BIASES.values()

    def draw(self, generator: Any, layer: Layer, bias: str | None, numbers: Mapping[str, float]) -> tuple[Any, Any]:
        """W, then b, of a layer; `numbers` are those that are not the default."""
        own = {**self.numbers, **numbers}
        scale = 1.0 if layer.is_last else own.get("omega_0", 1.0)
        W = self.weights(generator, layer, **own)
        b = (BIASES[bias] if bias else self.bias)(generator, layer)
        return scale * W, scale * b


BIASES = {"zero": zero, "uniform": uniform}
LAWS = {
    "assignment": Law(assignment, _assignment_bias),
    **{
        law.__name__: Law(law)
        for law in (glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal)
    },
    "siren": Law(siren, uniform, {"omega_0": 30.0}),
}
"""By name."""
STREAM = "assignment-stream"
"""The assignment's law, whose replicate 0 takes the numbers of the assignment itself."""
INITIALISERS = ("assignment", STREAM, *(name for name in LAWS if name != "assignment"))


def law_of(initialiser: str) -> Law:
    """The law of one of INITIALISERS."""
    return LAWS["assignment" if initialiser == STREAM else initialiser]
