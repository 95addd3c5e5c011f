"""The oracle: the same mathematics as kernels/, plain and slow, straight from the textbook.

It shares no code with the kernels but the description of a network. Arrays are sample-major: x (n, n_features), y and
y_hat (n, n_outputs), every value inside a network (n, units). `weights` is a list of pairs (W, b), W (fan_out, fan_in)
and b (fan_out,), one for each dense layer in the order of the notation: branch after branch, then the trunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import erfc

from shoal.kernels.network.architecture import Activation, Architecture, Dense, Path

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
    """Dense layers of a path."""
    return sum(isinstance(layer, Dense) for layer in path)


def split_weights(architecture: Architecture, weights: Weights) -> tuple[list[Weights], Weights]:
    """The weights of each branch, and of the trunk."""
    rest = list(weights)
    branches = []
    for branch in architecture.branches:
        branches.append(rest[: n_dense(branch)])
        rest = rest[n_dense(branch) :]
    return branches, rest


def forward_path(path: Path, weights: Weights, x: Array) -> list[Array]:
    """The values x, then behind each layer."""
    values, pairs = [x], iter(weights)
    for layer in path:
        if isinstance(layer, Activation):
            values.append(sigma(layer.name, values[-1]))
        else:
            W, b = next(pairs)
            values.append(values[-1] @ W.T + b)
    return values


def forward(architecture: Architecture, weights: Weights, x: Array) -> tuple[list[list[Array]], list[Array]]:
    """The values along each branch, and along the trunk from the sum of the branches on."""
    of_branches, of_trunk = split_weights(architecture, weights)
    branches = [forward_path(path, w, x) for path, w in zip(architecture.branches, of_branches, strict=True)]
    total = np.sum([values[-1] for values in branches], axis=0) if branches else x
    return branches, forward_path(architecture.trunk, of_trunk, total)


def backward_path(path: Path, weights: Weights, values: list[Array], delta: Array) -> tuple[list[Array], Weights]:
    """From delta = dC/d(last value): dC/d(each value), and (dC/dW, dC/db) of each dense layer."""
    deltas, grads, pairs = [delta], [], list(weights)
    for layer, value in zip(reversed(path), reversed(values[:-1]), strict=True):
        if isinstance(layer, Activation):
            delta = delta * sigma_prime(layer.name, value)
        else:
            W, _ = pairs.pop()
            grads.append((delta.T @ value, delta.sum(axis=0)))
            delta = delta @ W
        deltas.append(delta)
    return deltas[::-1], grads[::-1]


@dataclass(frozen=True)
class Gradients:
    """Gradients of the mean cost: of the weights, of the values in the network (see `visible`), of the input."""

    weights: Weights
    a: list[Array]
    x: Array


def visible(path: Path) -> list[int]:
    """Layers of a path whose output has a dC/da: all but the dense layers whose activation follows at once.

    Unless it is one of NEED_Z: what goes into that is a value of its own.
    """
    pairs = zip(path, (*path[1:], None), strict=True)
    return [
        i
        for i, (layer, next_) in enumerate(pairs)
        if isinstance(layer, Activation) or not isinstance(next_, Activation) or next_.name in NEED_Z
    ]


def gradients(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    cost: Cost = SQUARED,
    rows: slice | list[int] = slice(None),
) -> Gradients:
    """Of the cost over the samples given, which are `rows` of those that the cost has weights for.

    `a` holds the branches' values, their sum (if any), the trunk's values.
    """
    branches, trunk = forward(architecture, weights, x)
    of_branches, of_trunk = split_weights(architecture, weights)
    deltas, trunk_grads = backward_path(architecture.trunk, of_trunk, trunk, cost.slope(trunk[-1], y, rows))
    a = [deltas[i + 1] for i in visible(architecture.trunk)]
    if not branches:
        return Gradients(trunk_grads, a, deltas[0])
    before, grads, dx = [], [], np.zeros_like(x)
    for path, w, values in zip(architecture.branches, of_branches, branches, strict=True):
        branch_deltas, branch_grads = backward_path(path, w, values, deltas[0])
        before += [branch_deltas[i + 1] for i in visible(path)]
        grads += branch_grads
        dx = dx + branch_deltas[0]
    return Gradients(grads + trunk_grads, [*before, deltas[0], *a], dx)


def half_mse(architecture: Architecture, weights: Weights, x: Array, y: Array, cost: Cost = SQUARED) -> Array:
    """(1/N) sum_n 1/2 (y_hat_nk - y_nk)^2, or another cost, for every output k, (n_outputs,); the cost is their sum."""
    return cost.of(forward(architecture, weights, x)[1][-1], y)


def kink_distance(architecture: Architecture, weights: Weights, x: Array) -> float:
    """The smallest |z| that goes into one of KINKS; infinite without one. Exact zeros behind a relu do not count."""
    branches, trunk = forward(architecture, weights, x)
    paths = [*zip(architecture.branches, branches, strict=True), (architecture.trunk, trunk)]
    kinks = [Activation(name) for name in KINKS]
    inputs = [z for path, zs in paths for layer, z in zip(path, zs, strict=False) if layer in kinks]
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
    fan_in = n_features
    for path in (*architecture.branches, architecture.trunk):
        fan_in = fan_in if path is architecture.trunk else n_features
        for layer in path:
            if isinstance(layer, Dense):
                W = generator.normal(0.0, np.sqrt(6 / (fan_in + layer.units)), (layer.units, fan_in))
                weights.append((W, generator.uniform(-1.0, 1.0, layer.units)))
                fan_in = layer.units
    return weights


def split_mix_64(key: int, counter: int) -> int:
    """Draw number `counter` of the SplitMix64 generator that starts at `key`."""
    mask = 2**64 - 1
    z = (key + (counter + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


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
        new = [w - self.rate * v for w, v in zip(p, self.v, strict=True)]
        return list(zip(new[::2], new[1::2], strict=True))


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


class Nesterov:
    """v = momentum v + g,  p -= rate (g + momentum v)."""

    def __init__(self, rate: float, momentum: float = 0.9) -> None:
        self.rate, self.momentum = rate, momentum
        self.v: list[Array] = []

    def step(self, weights: Weights, grads: Weights) -> Weights:
        """The weights after one step."""
        p, g = ([tensor for pair in pairs for tensor in pair] for pairs in (weights, grads))
        self.v = self.v or [0 * tensor for tensor in g]
        self.v = [self.momentum * v + tensor for v, tensor in zip(self.v, g, strict=True)]
        moves = [tensor + self.momentum * v for v, tensor in zip(self.v, g, strict=True)]
        new = [w - self.rate * move for w, move in zip(p, moves, strict=True)]
        return list(zip(new[::2], new[1::2], strict=True))


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
) -> tuple[Weights, Array]:
    """Training on all samples; the costs (steps + 1, n_outputs) before every update and after the last."""
    costs = []
    for _ in range(steps):
        costs.append(half_mse(architecture, weights, x, y, cost))
        weights = optimizer.step(weights, gradients(architecture, weights, x, y, cost).weights)
    return weights, np.array([*costs, half_mse(architecture, weights, x, y, cost)])


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
) -> tuple[Weights, Array]:
    """Training on mini-batches, a fresh shuffle each epoch; the costs over all samples at the recorded steps."""
    n, recorded, costs = len(x), recorded_steps(steps), []
    batches_per_epoch = -(-n // batch_size)
    for step in range(steps + 1):
        if step in recorded:
            costs.append(half_mse(architecture, weights, x, y, cost))
        if step < steps:
            epoch, batch = divmod(step, batches_per_epoch)
            batch_samples = shuffled(key, epoch, n)[batch * batch_size : (batch + 1) * batch_size]
            grads = gradients(architecture, weights, x[batch_samples], y[batch_samples], cost, batch_samples)
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
            rows = batches[step]
            weights = optimizer.step(weights, gradients(architecture, weights, x[rows], y[rows], cost, rows).weights)
    return best, steps, np.array(costs)


def last_hidden(architecture: Architecture, weights: Weights, x: Array) -> Array:
    """What goes into the last dense layer, (n, units)."""
    return forward(architecture, weights, x)[1][-2]


def ridge(
    architecture: Architecture, weights: Weights, x: Array, y: Array, alpha: float, cost: Cost = SQUARED
) -> Weights:
    """The last dense layer by the normal equations of the centred values, so that its b is not penalised."""
    h, w = last_hidden(architecture, weights, x), cost.scaled(len(x))
    mean, mean_y = (w * h).mean(axis=0), (w * y).mean(axis=0)
    centred = h - mean
    W = np.linalg.solve(centred.T @ (w * centred) + alpha * np.eye(h.shape[1]), centred.T @ (w * (y - mean_y))).T
    return [*weights[:-1], (W, mean_y - W @ mean)]
