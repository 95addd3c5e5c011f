"""The oracle: the same mathematics as kernels/, plain and slow, straight from the textbook.

It shares no code with the kernels but the description of a network. Arrays are sample-major: x (n, n_features), y and
y_hat (n, n_outputs), every value inside a network (n, units). `weights` is a list of pairs (W, b), W (fan_out, fan_in)
and b (fan_out,), one for each dense layer in the order of the notation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from scipy.special import erfc

from shoal.kernels.network.architecture import (
    Activation,
    Architecture,
    Concat,
    Dense,
    Dropout,
    Layer,
    Path,
    Sum,
    every_layer,
)

Array = np.ndarray[Any, Any]
Weights = list[tuple[Array, Array]]


def logistic(z: Array) -> Array:
    """1 / (1 + exp(-z)), without overflow."""
    return np.asarray(np.where(z < 0, np.exp(np.minimum(z, 0)), 1.0) / (1.0 + np.exp(-np.abs(z))))


def softplus(z: Array) -> Array:
    """log(1 + exp(z)), without overflow."""
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def normal_cdf(z: Array) -> Array:
    """Phi(z) = (1 + erf(z / sqrt(2))) / 2, in float64."""
    return np.asarray(erfc(np.asarray(-z / np.sqrt(2), float)) / 2)


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

SIGMA: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "linear": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.where(z > 0, z, 0.0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "tanh": (np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
    "sigmoid": (logistic, lambda z: logistic(z) * logistic(-z)),
    "softsign": (lambda z: z / (1.0 + np.abs(z)), lambda z: 1.0 / (1.0 + np.abs(z)) ** 2),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1.0, 0.01)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), lambda z: np.exp(np.minimum(z, 0))),
    "selu": (
        lambda z: SELU_SCALE * np.where(z > 0, z, SELU_ALPHA * np.expm1(np.minimum(z, 0))),
        lambda z: SELU_SCALE * np.where(z > 0, 1.0, SELU_ALPHA * np.exp(np.minimum(z, 0))),
    ),
    "softplus": (softplus, logistic),
    "gelu": (lambda z: z * normal_cdf(z), lambda z: normal_cdf(z) + z * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)),
    "silu": (lambda z: z * logistic(z), lambda z: logistic(z) + z * logistic(z) * logistic(-z)),
    "mish": (
        lambda z: z * np.tanh(softplus(z)),
        lambda z: np.tanh(softplus(z)) + z * (1.0 - np.tanh(softplus(z)) ** 2) * logistic(z),
    ),
    "sin": (np.sin, np.cos),
}
"""Of every activation its value and its derivative, both of z; at a kink the derivative of the left."""
KINKS = ("relu", "leaky_relu", "selu")
"""Those whose derivative jumps at 0."""

NEED_Z = ("gelu", "silu", "mish", "sin")
"""Those that do not rise everywhere, so that the derivative is no function of the value."""


def sigma(name: str, z: Array) -> Array:
    """The activation of that name."""
    return SIGMA[name][0](z).astype(z.dtype)


def sigma_prime(name: str, z: Array) -> Array:
    """Its derivative."""
    return SIGMA[name][1](z).astype(z.dtype)


# --- losses -----------------------------------------------------------------------------------------------------------


def softmax(z: Array) -> Array:
    """exp(z_k) / sum_j exp(z_j), row by row."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def loss(name: str, y_hat: Array, y: Array, number: float) -> Array:
    """c_nk of every sample and output, whose sum over the outputs is a sample's loss; `number` is delta or q."""
    r = y - y_hat
    if name == "squared":
        return np.asarray(r**2 / 2)
    if name == "absolute":
        return np.abs(r)
    if name == "huber":
        return np.where(np.abs(r) <= number, r**2 / 2, number * (np.abs(r) - number / 2))
    if name == "quantile":
        return np.maximum(number * r, (number - 1) * r)
    if name == "cross_entropy":
        top = y_hat.max(axis=1, keepdims=True)
        return -y * (y_hat - top - np.log(np.exp(y_hat - top).sum(axis=1, keepdims=True)))
    raise ValueError(f"no loss '{name}' here")


def loss_slope(name: str, y_hat: Array, y: Array, number: float) -> Array:
    """The derivatives of a sample's loss by its y_hat_nk; 0 at the kink of absolute and quantile."""
    r = y - y_hat
    if name == "squared":
        return -r
    if name == "absolute":
        return -np.sign(r)
    if name == "huber":
        return -np.clip(r, -number, number)
    if name == "quantile":
        return np.where(r > 0, -number, np.where(r < 0, 1 - number, 0.0))
    if name == "cross_entropy":
        return softmax(y_hat) - y
    raise ValueError(f"no loss '{name}' here")


@dataclass(frozen=True)
class Cost:
    """(1/N) sum_n w_n c_nk for every output k: a loss, its number, and weights (n,) that are scaled to mean 1."""

    loss: str = "squared"
    number: float = np.nan
    weights: Array | None = None

    def scaled(self, n: int) -> Array:
        """The weights as a column."""
        weights = np.ones(n) if self.weights is None else self.weights
        return np.asarray(weights / np.mean(weights))[:, None]

    def of(self, y_hat: Array, y: Array, rows: slice | list[int] = slice(None)) -> Array:
        """Of the samples `rows`, whose y_hat and y are given."""
        c = loss(self.loss, y_hat, y, self.number)
        return c.mean(axis=0) if self.weights is None else np.mean(self.scaled(len(self.weights))[rows] * c, axis=0)

    def slope(self, y_hat: Array, y: Array, rows: slice | list[int] = slice(None)) -> Array:
        """The derivative of the sum over the outputs by every y_hat."""
        slope = loss_slope(self.loss, y_hat, y, self.number)
        return (slope if self.weights is None else self.scaled(len(self.weights))[rows] * slope) / len(y)


SQUARED = Cost()


# --- forward and backward -------------------------------------------------------------------------------------------


def n_dense(path: Path) -> int:
    """Dense layers of a path, those in its branches too."""
    return sum(isinstance(layer, Dense) for layer in every_layer(path))


def split_weights(paths: Iterable[Path], weights: Weights) -> list[Weights]:
    """The weights of each of some paths that stand one behind the other."""
    rest = iter(weights)
    return [[*islice(rest, n_dense(path))] for path in paths]


class Pass:
    """A forward pass: what it came by. `masks` says which units are dropped, None that none are.

    `values` holds the values in the network (n, units) in the order of the notation, a group's behind those in its
    branches; not those of a dense layer whose activation follows at once (unless it is one of NEED_Z), nor of the end
    of a branch that is concatenated, which are no values of their own. A value in `given`, by its place, is put in
    place of what the network has there. `inputs` are the layers that have no branches, each with what goes into it.
    """

    def __init__(self, masks: Masks | None = None, given: Mapping[int, Array] | None = None) -> None:
        self.masks, self.given, self.n_dropped = masks, given or {}, 0
        self.values: list[Array] = []
        self.inputs: list[tuple[Layer, Array]] = []

    def path(self, path: Path, weights: Weights, x: Array, is_part: bool = False) -> tuple[Array, Pull]:
        """Where x leads to, and how a gradient is pulled back; `is_part` where the end is a part of a concatenation."""
        pulls = []
        for n, (layer, own) in enumerate(zip(path, split_weights([(layer,) for layer in path], weights), strict=True)):
            x, pull = self.layer(layer, own, x)
            next_ = (*path, None)[n + 1]
            folds = isinstance(layer, Dense) and isinstance(next_, Activation) and next_.name not in NEED_Z
            if not folds and not (is_part and n == len(path) - 1):
                x = self.given.get(len(self.values), x)
                self.values.append(x)
                pulls.append(seen(pull))
            else:
                pulls.append(pull)
        return x, chained(pulls)

    def layer(self, layer: Layer, weights: Weights, x: Array) -> tuple[Array, Pull]:
        """The same for one layer."""
        if isinstance(layer, Sum | Concat):
            return self.group(layer, weights, x)
        self.inputs.append((layer, x))
        if isinstance(layer, Activation):
            return sigma(layer.name, x), lambda delta: (delta * sigma_prime(layer.name, x), [], [])
        if isinstance(layer, Dropout):
            mask = self.mask(layer.rate, x)
            return mask * x, lambda delta: (mask * delta, [], [])
        [(W, b)] = weights
        return x @ W.T + b, lambda delta: (delta @ W, [(delta.T @ x, delta.sum(axis=0))], [])

    def group(self, layer: Sum | Concat, weights: Weights, x: Array) -> tuple[Array, Pull]:
        """Branches that all read x."""
        is_sum = isinstance(layer, Sum)
        owns = split_weights(layer.branches, weights)
        done = [self.path(path, own, x, not is_sum) for path, own in zip(layer.branches, owns, strict=True)]
        ends = [end for end, _ in done]

        def pull(delta: Array) -> tuple[Array, Weights, list[Array]]:
            cuts = np.cumsum([end.shape[1] for end in ends])[:-1]
            deltas = [delta for _ in ends] if is_sum else np.split(delta, cuts, axis=1)
            dx, grads, a = zip(*(back(part) for (_, back), part in zip(done, deltas, strict=True)), strict=True)
            return sum(dx[1:], dx[0]), [*chain(*grads)], [*chain(*a)]

        return (sum(ends[1:], ends[0]) if is_sum else np.concatenate(ends, axis=1)), pull

    def mask(self, rate: float, x: Array) -> Array:
        """What the units of a dropout layer are multiplied by."""
        first, self.n_dropped = self.n_dropped, self.n_dropped + x.shape[1]
        return np.ones_like(x) if self.masks is None else self.masks.of(rate, first, x.shape[1]).astype(x.dtype)


Pull = Callable[[Array], tuple[Array, Weights, list[Array]]]
"""From dC/d(what comes out): dC/d(what goes in), (dC/dW, dC/db) of each dense layer, dC/d(each value in between)."""


def chained(pulls: list[Pull]) -> Pull:
    """Back through one layer after the other, the last one first."""

    def pull(delta: Array) -> tuple[Array, Weights, list[Array]]:
        grads: Weights = []
        a: list[Array] = []
        for back in reversed(pulls):
            delta, own_grads, own_a = back(delta)
            grads, a = own_grads + grads, own_a + a
        return delta, grads, a

    return pull


def seen(pull: Pull) -> Pull:
    """The same where what comes out is a value in the network itself."""

    def pull_and_see(delta: Array) -> tuple[Array, Weights, list[Array]]:
        dx, grads, a = pull(delta)
        return dx, grads, [*a, delta]

    return pull_and_see


def forward(architecture: Architecture, weights: Weights, x: Array) -> Array:
    """The outputs (n, n_outputs)."""
    return Pass().path(architecture.layers, weights, x)[0]


@dataclass(frozen=True)
class Gradients:
    """Gradients of the mean cost: of the weights, of the values in the network (see `Pass`), of the input."""

    weights: Weights
    a: list[Array]
    x: Array


def gradients(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    cost: Cost = SQUARED,
    rows: slice | list[int] = slice(None),
    masks: Masks | None = None,
) -> Gradients:
    """Of the cost over the samples given, which are `rows` of those that the cost has weights for."""
    y_hat, pull = Pass(masks).path(architecture.layers, weights, x)
    dx, grads, a = pull(cost.slope(y_hat, y, rows))
    return Gradients(grads, a, dx)


def half_mse(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    cost: Cost = SQUARED,
    masks: Masks | None = None,
    given: Mapping[int, Array] | None = None,
) -> Array:
    """(1/N) sum_n 1/2 (y_hat_nk - y_nk)^2, or another cost, for every output k, (n_outputs,); the cost is their sum."""
    y_hat, _ = Pass(masks, given).path(architecture.layers, weights, x)
    return cost.of(y_hat, y)


def kink_distance(architecture: Architecture, weights: Weights, x: Array) -> float:
    """The smallest |z| that goes into one of KINKS; infinite without one. Exact zeros behind a relu do not count."""
    found = Pass()
    found.path(architecture.layers, weights, x)
    kinks = [Activation(name) for name in KINKS]
    inputs = [z for layer, z in found.inputs if layer in kinks]
    return min((float(np.min(np.abs(z[z != 0]), initial=np.inf)) for z in inputs), default=np.inf)


# --- random numbers -------------------------------------------------------------------------------------------------


def seed_sequence(seed: int, purpose: str, replicate: int) -> np.random.SeedSequence:
    """The stream of (root seed, purpose, replicate)."""
    return np.random.SeedSequence(seed, spawn_key=(*(ord(letter) for letter in purpose), replicate))


def shuffle_key(seed: int, replicate: int) -> int:
    """The key of a replicate's shuffles: the first 64 bits of the stream "shuffle"."""
    return int(seed_sequence(seed, "shuffle", replicate).generate_state(1, np.uint64)[0])


VARIANCES: dict[str, Callable[[int, int], float]] = {
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
}
"""Of W, normal or uniform on [-sqrt(3 variance), sqrt(3 variance)]."""


def initial_layer(
    law: str, bias: str, generator: np.random.Generator, fan_in: int, fan_out: int, is_first: bool
) -> tuple[Array, Array]:
    """W and b of a layer by a law, siren's as the paper has them (omega_0 is 30, and multiplies them in the sines)."""
    if law == "siren":
        limit = 1 / fan_in if is_first else np.sqrt(6 / fan_in) / 30
        W = generator.uniform(-limit, limit, (fan_out, fan_in))
    else:
        name, kind = law.split("_")
        variance = VARIANCES[name](fan_in, fan_out)
        W = (
            generator.normal(0.0, np.sqrt(variance), (fan_out, fan_in))
            if kind == "normal"
            else generator.uniform(-np.sqrt(3 * variance), np.sqrt(3 * variance), (fan_out, fan_in))
        )
    b = np.zeros(fan_out)
    if bias == "uniform":
        b = generator.uniform(-1 / np.sqrt(fan_in), 1 / np.sqrt(fan_in), fan_out)
    return W, b


def initial_weights(architecture: Architecture, n_features: int, seed: int, replicate: int) -> Weights:
    """W ~ normal(0, sqrt(6 / (fan_in + fan_out))), b ~ uniform(-1, 1), layer by layer from the stream "init"."""
    generator = np.random.Generator(np.random.Philox(seed_sequence(seed, "init", replicate)))
    weights: Weights = []

    def draw(path: Path, fan_in: int) -> int:
        for layer in path:
            if isinstance(layer, Dense):
                W = generator.normal(0.0, np.sqrt(6 / (fan_in + layer.units)), (layer.units, fan_in))
                weights.append((W, generator.uniform(-1.0, 1.0, layer.units)))
                fan_in = layer.units
            elif isinstance(layer, Sum | Concat):
                ends = [draw(branch, fan_in) for branch in layer.branches]
                fan_in = ends[0] if isinstance(layer, Sum) else sum(ends)
        return fan_in

    draw(architecture.layers, n_features)
    return weights


def split_mix_64(key: Any, counter: Any) -> Any:
    """Draw number `counter` of the SplitMix64 generator that starts at `key`: integers, or arrays of uint64."""
    mask = 2**64 - 1
    z = (key + (counter + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


@dataclass(frozen=True)
class Masks:
    """The masks of one step's dropout, for the rows of the data set that it sees."""

    key: int
    step: int
    rows: Sequence[int]

    def of(self, rate: float, first: int, units: int) -> Array:
        """(n, units): 0 where one of the units from number `first` on is dropped, else what makes up for it."""
        of_units = split_mix_64(split_mix_64(self.key, self.step), np.arange(first, first + units, dtype=np.uint64))
        bits = split_mix_64(of_units, np.array(self.rows, np.uint64)[:, None]) >> 32
        limit = round(rate * 2**32)
        return np.where(bits < limit, 0.0, 2**32 / (2**32 - limit))


def dropout_key(seed: int, replicate: int) -> int:
    """The key of a replicate's masks: the first 64 bits of the stream "dropout"."""
    return int(seed_sequence(seed, "dropout", replicate).generate_state(1, np.uint64)[0])


def shuffled(key: int, epoch: int, n: int) -> list[int]:
    """Fisher and Yates' shuffle of 0..n-1; swap i draws number epoch * n + i and scales its high 32 bits to [0, i]."""
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        j = (split_mix_64(key, epoch * n + i) >> 32) * (i + 1) >> 32
        order[i], order[j] = order[j], order[i]
    return order


# --- training -------------------------------------------------------------------------------------------------------


class GradientDescent:
    """p -= rate g."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def step(self, weights: Weights, grads: Weights) -> Weights:
        """The weights after one step."""
        return [(W - self.rate * dW, b - self.rate * db) for (W, b), (dW, db) in zip(weights, grads, strict=True)]


class Momentum:
    """v = mu v + g, p -= rate v, v = 0 at first (PyTorch's form, without dampening)."""

    def __init__(self, rate: float, momentum: float = 0.9) -> None:
        self.rate, self.momentum = rate, momentum
        self.v: list[Array] = []

    def step(self, weights: Weights, grads: Weights) -> Weights:
        """The weights after one step."""
        p, g = ([tensor for pair in pairs for tensor in pair] for pairs in (weights, grads))
        self.v = [
            self.momentum * v + tensor for v, tensor in zip(self.v or [0 * tensor for tensor in g], g, strict=True)
        ]
        new = [w - self.rate * move for w, move in zip(p, self.moves(g), strict=True)]
        return list(zip(new[::2], new[1::2], strict=True))

    def moves(self, g: list[Array]) -> list[Array]:
        """What the rate multiplies."""
        return self.v


class Adam:
    """Algorithm 1 of Kingma and Ba (2015), with its own numbers."""

    def __init__(self, rate: float) -> None:
        self.rate, self.t = rate, 0
        self.m: list[Array] = []
        self.v: list[Array] = []

    def step(self, weights: Weights, grads: Weights) -> Weights:
        """The weights after one step."""
        p, g = ([tensor for pair in pairs for tensor in pair] for pairs in (weights, grads))
        self.m, self.v = self.m or [0 * tensor for tensor in g], self.v or [0 * tensor for tensor in g]
        self.t += 1
        self.m = [0.9 * m + 0.1 * tensor for m, tensor in zip(self.m, g, strict=True)]
        self.v = [0.999 * v + 0.001 * tensor**2 for v, tensor in zip(self.v, g, strict=True)]
        m_hat = [m / (1 - 0.9**self.t) for m in self.m]
        v_hat = [v / (1 - 0.999**self.t) for v in self.v]
        new = [w - self.rate * m / (np.sqrt(v) + 1e-8) for w, m, v in zip(p, m_hat, v_hat, strict=True)]
        return list(zip(new[::2], new[1::2], strict=True))


class Nesterov(Momentum):
    """v = momentum v + g,  p -= rate (g + momentum v)."""

    def moves(self, g: list[Array]) -> list[Array]:
        """What the rate multiplies."""
        return [tensor + self.momentum * v for v, tensor in zip(self.v, g, strict=True)]


class AdaGrad:
    """v += g^2,  p -= rate g / (sqrt(v) + epsilon)."""

    keep, take, epsilon = 1.0, 1.0, 1e-10

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.v: list[Array] = []

    def step(self, weights: Weights, grads: Weights) -> Weights:
        """The weights after one step."""
        p, g = ([tensor for pair in pairs for tensor in pair] for pairs in (weights, grads))
        self.v = self.v or [0 * tensor for tensor in g]
        self.v = [self.keep * v + self.take * tensor**2 for v, tensor in zip(self.v, g, strict=True)]
        moves = [tensor / (np.sqrt(v) + self.epsilon) for v, tensor in zip(self.v, g, strict=True)]
        new = [w - self.rate * move for w, move in zip(p, moves, strict=True)]
        return list(zip(new[::2], new[1::2], strict=True))


class RMSProp(AdaGrad):
    """v = 0.99 v + 0.01 g^2,  p -= rate g / (sqrt(v) + epsilon)."""

    keep, take, epsilon = 0.99, 0.01, 1e-8


def factor(schedule: str, e: int, n: int, gamma: float = 1.0, every: float = 1.0) -> float:
    """What a schedule multiplies the learning rate by in epoch e of n."""
    factors = {
        "constant": 1.0,
        "step": gamma ** np.floor(e / every),
        "exponential": gamma**e,
        "cosine": (1 + np.cos(np.pi * e / n)) / 2,
    }
    return float(factors[schedule])


def rates(rate: float, schedule: str, n: int, warmup: int = 0, **numbers: float) -> list[float]:
    """The learning rates of n epochs: of the warm-up 1/(w + 1), 2/(w + 1), ..., w/(w + 1), then the schedule's own."""
    rise = [rate * (e + 1) / (warmup + 1) for e in range(warmup)]
    return [*rise, *(rate * factor(schedule, e, n - warmup, **numbers) for e in range(n - warmup))][:n]


class Regularised:
    """An optimizer's steps at given learning rates, one a step, along the gradient of C + l2/2 sum W^2.

    It is clipped to a norm, and weights, not biases, are decayed before the step.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        rates: list[float],
        l2: float = 0.0,
        clip_norm: float = np.inf,
        weight_decay: float = 0.0,
    ) -> None:
        self.optimizer, self.rates, self.t = optimizer, rates, 0
        self.l2, self.clip_norm, self.weight_decay = l2, clip_norm, weight_decay

    def step(self, weights: Weights, grads: Weights) -> Weights:
        """The weights after one step."""
        self.optimizer.rate = rate = self.rates[self.t]
        self.t += 1
        grads = [(dW + self.l2 * W, db) for (W, _), (dW, db) in zip(weights, grads, strict=True)]
        norm = np.sqrt(sum(np.sum(tensor**2) for pair in grads for tensor in pair))
        scale = min(1.0, self.clip_norm / (norm + 1e-6))
        weights = [(W - rate * self.weight_decay * W, b) for W, b in weights]
        return self.optimizer.step(weights, [(scale * dW, scale * db) for dW, db in grads])


Optimizer = GradientDescent | Momentum | Nesterov | AdaGrad | Adam
OPTIMIZERS: dict[str, type[Optimizer]] = {
    "gd": GradientDescent,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": Adam,
}
"""By name; the weight decay that adamw has by default is up to `Regularised`."""
Stepper = Optimizer | Regularised


def full_batch(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    optimizer: Stepper,
    steps: int,
    cost: Cost = SQUARED,
    dropout: int = 0,
) -> tuple[Weights, Array]:
    """Training on all samples; the costs (steps + 1, n_outputs) before every update and after the last.

    They are those of the passes that are trained: with the masks of their step, of key `dropout`.
    """
    costs = []
    for step in range(steps + 1):
        masks = Masks(dropout, step, range(len(x)))
        costs.append(half_mse(architecture, weights, x, y, cost, masks))
        if step < steps:
            weights = optimizer.step(weights, gradients(architecture, weights, x, y, cost, masks=masks).weights)
    return weights, np.array(costs)


def recorded_steps(steps: int) -> list[int]:
    """Steps at which a mini-batch run records its cost: 0 and 50 log-spaced ones, the last of them `steps`."""
    return sorted({0, *(round(steps ** (i / 49)) for i in range(50))})


def minibatch(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    optimizer: Stepper,
    steps: int,
    batch_size: int,
    key: int,
    cost: Cost = SQUARED,
    dropout: int = 0,
) -> tuple[Weights, Array]:
    """Training on mini-batches, a fresh shuffle each epoch; the costs over all samples at the recorded steps.

    Units are dropped out in mini-batches, with masks of key `dropout`, not where the cost is recorded.
    """
    n, recorded, costs = len(x), recorded_steps(steps), []
    batches_per_epoch = -(-n // batch_size)
    for step in range(steps + 1):
        if step in recorded:
            costs.append(half_mse(architecture, weights, x, y, cost))
        if step < steps:
            epoch, batch = divmod(step, batches_per_epoch)
            batch_samples = shuffled(key, epoch, n)[batch * batch_size : (batch + 1) * batch_size]
            masks, of_batch = Masks(dropout, step, batch_samples), (x[batch_samples], y[batch_samples])
            grads = gradients(architecture, weights, *of_batch, cost, batch_samples, masks)
            weights = optimizer.step(weights, grads.weights)
    return weights, np.array(costs)


@dataclass(frozen=True)
class Stopping:
    """Validation samples, and what is made of their cost: taken every `every` steps and at the last."""

    x: Array
    y: Array
    every: int
    patience: float = np.inf
    min_delta: float = 0.0
    cost: Cost = SQUARED


def watched(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    optimizer: Stepper,
    batches: list[list[int]],
    stopping: Stopping,
    cost: Cost = SQUARED,
    dropout: int = 0,
) -> tuple[Weights, list[int], Array]:
    """Training on these batches until no validation has improved on the best for `patience` of them.

    Returns the weights of the lowest validation cost, the steps at which it was taken and the costs per output. An
    improvement is more than `min_delta` below the last one.
    """
    steps, costs, improved, best = [], [], 0, weights
    totals: list[float] = []
    for step in range(len(batches) + 1):
        if step % stopping.every == 0 or step == len(batches):
            steps.append(step)
            costs.append(half_mse(architecture, weights, stopping.x, stopping.y, stopping.cost))
            totals.append(float(costs[-1].sum()))
            if totals[-1] < totals[improved] - stopping.min_delta:
                improved = len(totals) - 1
            if totals[-1] < min(totals[:-1], default=np.inf):
                best = weights
            if len(totals) - 1 - improved >= stopping.patience:
                break
        if step < len(batches):
            rows, masks = batches[step], Masks(dropout, step, batches[step])
            grads = gradients(architecture, weights, x[rows], y[rows], cost, rows, masks)
            weights = optimizer.step(weights, grads.weights)
    return best, steps, np.array(costs)


def last_hidden(architecture: Architecture, weights: Weights, x: Array) -> Array:
    """What goes into the last dense layer, (n, units)."""
    found = Pass()
    found.path(architecture.layers, weights, x)
    return found.inputs[-1][1]


def ridge(
    architecture: Architecture, weights: Weights, x: Array, y: Array, alpha: float, cost: Cost = SQUARED
) -> Weights:
    """The last dense layer by the normal equations of the centred values, so that its b is not penalised."""
    h, w = last_hidden(architecture, weights, x), cost.scaled(len(x))
    mean, mean_y = (w * h).mean(axis=0), (w * y).mean(axis=0)
    centred = h - mean
    W = np.linalg.solve(centred.T @ (w * centred) + alpha * np.eye(h.shape[1]), centred.T @ (w * (y - mean_y))).T
    return [*weights[:-1], (W, mean_y - W @ mean)]
