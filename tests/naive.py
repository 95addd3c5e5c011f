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


def sigma(name: str, z: Array) -> Array:
    """The activation of that name."""
    if name == "relu":
        return np.where(z > 0, z, 0.0)
    if name == "tanh":
        return np.tanh(z)
    if name == "sigmoid":
        return np.where(z < 0, np.exp(np.minimum(z, 0)), 1.0) / (1.0 + np.exp(-np.abs(z)))
    if name == "linear":
        return z
    raise ValueError(f"no activation '{name}' here")


def sigma_prime(name: str, z: Array) -> Array:
    """Its derivative, 0 at the kink of relu."""
    if name == "relu":
        return (z > 0).astype(z.dtype)
    if name == "tanh":
        return 1.0 - np.tanh(z) ** 2
    if name == "sigmoid":
        return sigma("sigmoid", z) * sigma("sigmoid", -z)
    if name == "linear":
        return np.ones_like(z)
    raise ValueError(f"no activation '{name}' here")


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
    branches; not those of a dense layer whose activation follows at once, nor of the end of a branch that is
    concatenated, which are no values of their own. A value in `given`, by its place, is put in place of what the
    network has there. `inputs` are the layers that have no branches, each with what goes into it.
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
            is_value = not (isinstance(layer, Dense) and isinstance((*path, None)[n + 1], Activation))
            if is_value and not (is_part and n == len(path) - 1):
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
    architecture: Architecture, weights: Weights, x: Array, y: Array, masks: Masks | None = None
) -> Gradients:
    """Of half_mse over the samples given."""
    y_hat, pull = Pass(masks).path(architecture.layers, weights, x)
    dx, grads, a = pull((y_hat - y) / len(x))
    return Gradients(grads, a, dx)


def half_mse(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    masks: Masks | None = None,
    given: Mapping[int, Array] | None = None,
) -> Array:
    """(1/N) sum_n 1/2 (y_hat_nk - y_nk)^2 for every output k, (n_outputs,); the cost is their sum."""
    y_hat, _ = Pass(masks, given).path(architecture.layers, weights, x)
    return np.asarray(0.5 * np.mean((y_hat - y) ** 2, axis=0))


def kink_distance(architecture: Architecture, weights: Weights, x: Array) -> float:
    """The smallest |z| that goes into a relu; infinite without one. Exact zeros behind another relu do not count."""
    found = Pass()
    found.path(architecture.layers, weights, x)
    inputs = [z for layer, z in found.inputs if layer == Activation("relu")]
    return min((float(np.min(np.abs(z[z != 0]), initial=np.inf)) for z in inputs), default=np.inf)


# --- random numbers -------------------------------------------------------------------------------------------------


def seed_sequence(seed: int, purpose: str, replicate: int) -> np.random.SeedSequence:
    """The stream of (root seed, purpose, replicate)."""
    return np.random.SeedSequence(seed, spawn_key=(*(ord(letter) for letter in purpose), replicate))


def shuffle_key(seed: int, replicate: int) -> int:
    """The key of a replicate's shuffles: the first 64 bits of the stream "shuffle"."""
    return int(seed_sequence(seed, "shuffle", replicate).generate_state(1, np.uint64)[0])


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


Optimizer = GradientDescent | Adam
OPTIMIZERS: dict[str, type[GradientDescent | Adam]] = {"gd": GradientDescent, "adam": Adam}


def full_batch(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    optimizer: Optimizer,
    steps: int,
    dropout: int = 0,
) -> tuple[Weights, Array]:
    """Training on all samples; the costs (steps + 1, n_outputs) before every update and after the last.

    They are those of the passes that are trained: with the masks of their step, of key `dropout`.
    """
    costs = []
    for step in range(steps + 1):
        masks = Masks(dropout, step, range(len(x)))
        costs.append(half_mse(architecture, weights, x, y, masks))
        if step < steps:
            weights = optimizer.step(weights, gradients(architecture, weights, x, y, masks).weights)
    return weights, np.array(costs)


def recorded_steps(steps: int) -> list[int]:
    """Steps at which a mini-batch run records its cost: 0 and 50 log-spaced ones, the last of them `steps`."""
    return sorted({0, *(round(steps ** (i / 49)) for i in range(50))})


def minibatch(
    architecture: Architecture,
    weights: Weights,
    x: Array,
    y: Array,
    optimizer: Optimizer,
    steps: int,
    batch_size: int,
    key: int,
    dropout: int = 0,
) -> tuple[Weights, Array]:
    """Training on mini-batches, a fresh shuffle each epoch; the costs over all samples at the recorded steps.

    Units are dropped out in mini-batches, with masks of key `dropout`, not where the cost is recorded.
    """
    n, recorded, costs = len(x), recorded_steps(steps), []
    batches_per_epoch = -(-n // batch_size)
    for step in range(steps + 1):
        if step in recorded:
            costs.append(half_mse(architecture, weights, x, y))
        if step < steps:
            epoch, batch = divmod(step, batches_per_epoch)
            batch_samples = shuffled(key, epoch, n)[batch * batch_size : (batch + 1) * batch_size]
            masks = Masks(dropout, step, batch_samples)
            grads = gradients(architecture, weights, x[batch_samples], y[batch_samples], masks)
            weights = optimizer.step(weights, grads.weights)
    return weights, np.array(costs)


def last_hidden(architecture: Architecture, weights: Weights, x: Array) -> Array:
    """What goes into the last dense layer, (n, units)."""
    found = Pass()
    found.path(architecture.layers, weights, x)
    return found.inputs[-1][1]


def ridge(architecture: Architecture, weights: Weights, x: Array, y: Array, alpha: float) -> Weights:
    """The last dense layer by the normal equations of the centred values, so that its b is not penalised."""
    h = last_hidden(architecture, weights, x)
    centred, centred_y = h - h.mean(axis=0), y - y.mean(axis=0)
    W = np.linalg.solve(centred.T @ centred + alpha * np.eye(h.shape[1]), centred.T @ centred_y).T
    return [*weights[:-1], (W, y.mean(axis=0) - W @ h.mean(axis=0))]
