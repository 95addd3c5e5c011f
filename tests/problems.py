"""Problems drawn by hypothesis: a network of any shape, data for it, and how two answers are compared.

Hypothesis draws shapes and seeds only; the numbers come from a seeded generator, so that no relu sits on its kink.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st

from shoal.kernels.ensemble import NetworkSpec
from shoal.kernels.network import activations
from shoal.kernels.network.architecture import (
    ACTIVATIONS,
    Activation,
    Architecture,
    Concat,
    Dense,
    Dropout,
    Layer,
    Path,
    Sum,
    units_after,
)
from tests import naive
from tests.naive import Array, Weights

SEED = 9001
SIZES = st.one_of(st.sampled_from([1, 2, 15, 16, 17, 32, 33, 64, 200]), st.integers(1, 200))
"""Numbers of samples: any from 1 to 200, and often those at the edge of a vector or of a way to train."""
ACTIVATION = st.sampled_from(ACTIVATIONS).map(Activation)
EVERY_WAY = ("linear", "relu", "tanh", "sigmoid", "softplus", "silu")
"""Activations that between them go every way through a tape: nothing to do; in registers or not, forth and back; with z
kept."""
LAYER: st.SearchStrategy[Layer] = st.one_of(ACTIVATION, st.integers(1, 12).map(Dense))
OR_DROPOUT = st.one_of(LAYER, LAYER, st.floats(0.05, 0.9).map(Dropout))


@dataclass(frozen=True)
class Problem:
    """A network, identified by its replicate's initial weights, and seeded data that float32 holds exactly."""

    architecture: Architecture
    n_samples: int
    n_features: int
    data_seed: int
    replicate: int

    @cached_property
    def x(self) -> Array:
        """(n_samples, n_features), uniform."""
        values = np.random.default_rng(self.data_seed).uniform(-2.0, 2.0, (self.n_samples, self.n_features))
        return np.asarray(values, np.float32).astype(float)

    @cached_property
    def y(self) -> Array:
        """(n_samples, n_outputs), normal."""
        shape = (self.n_samples, self.architecture.n_outputs)
        return np.random.default_rng([self.data_seed, 1]).normal(0.0, 1.0, shape).astype(np.float32).astype(float)

    @cached_property
    def weights(self) -> Weights:
        """The initial weights."""
        return naive.initial_weights(self.architecture, self.n_features, SEED, self.replicate)

    def spec(self, **keys: Any) -> NetworkSpec:
        """What the door is asked for."""
        return NetworkSpec(self.architecture, "assignment", self.replicate, **keys)


def plain_networks(n_outputs: int) -> st.SearchStrategy[Architecture]:
    """Depth 0 to 5, widths 1 to 70, every activation."""
    widths = st.lists(st.integers(1, 70), max_size=5)
    return st.builds(Architecture.plain, widths, st.sampled_from(ACTIVATIONS), st.just(n_outputs))


@st.composite
def branch_networks(draw: st.DrawFn, n_outputs: int) -> Architecture:
    """2 or 3 branches of any layers that end in equally many units, all of the input's or all of a dense layer's."""
    end: st.SearchStrategy[Path] = st.lists(ACTIVATION, min_size=1, max_size=2).map(tuple)
    start: st.SearchStrategy[Path] = st.just(())
    if draw(st.booleans()):
        last = Dense(draw(st.integers(1, 8)))
        start = st.lists(LAYER, max_size=3).map(tuple)
        end = st.lists(ACTIVATION, max_size=1).map(lambda layers: (last, *layers))
    branches = draw(st.lists(st.builds(lambda a, b: (*a, *b), start, end), min_size=2, max_size=3))
    trunk = draw(st.lists(LAYER, max_size=3))
    return Architecture((Sum(tuple(branches)), *trunk, Dense(n_outputs)))


@st.composite
def graphs(draw: st.DrawFn, layers: st.SearchStrategy[Layer], n_features: int, n_outputs: int) -> Architecture:
    """Layers and groups of them, nested, in any order."""
    return Architecture((*draw(graph_paths(layers, n_features, 3)), Dense(n_outputs)))


@st.composite
def graph_paths(draw: st.DrawFn, layers: st.SearchStrategy[Layer], units: int, depth: int) -> Path:
    """0 to 3 layers that `units` go into, groups up to `depth` deep; branches that do not fit are made to."""
    path: list[Layer] = []
    for _ in range(draw(st.integers(0, 3))):
        if depth and draw(st.booleans()):
            before = units_after(tuple(path), units)
            branches = draw(st.lists(graph_paths(layers, before, depth - 1), min_size=1, max_size=3))
            ends = [units_after(branch, before) for branch in branches]
            if len(branches) > 1 and draw(st.booleans()):
                path.append(Concat(tuple(branches)))
            else:
                fitted = [b if end == ends[0] else (*b, Dense(ends[0])) for b, end in zip(branches, ends, strict=True)]
                path.append(Sum(tuple(fitted)))
        else:
            path.append(draw(layers))
    return tuple(path)


@st.composite
def problems(draw: st.DrawFn, layers: st.SearchStrategy[Layer] = OR_DROPOUT) -> Problem:
    """1 to 4 inputs, 1 to 3 outputs, 1 to 200 samples; plain networks, branches, and any graph of the layers."""
    n_features, n_outputs = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    kinds = plain_networks(n_outputs), branch_networks(n_outputs), graphs(layers, n_features, n_outputs)
    architecture = draw(st.one_of(*kinds))
    return Problem(architecture, draw(SIZES), n_features, draw(st.integers(0, 999)), draw(st.integers(0, 99)))


def relative(got: Array, want: Array) -> float:
    """max|got - want| / max|want|; where all of `want` is zero, 0 if `got` is zero too, else infinite."""
    difference, scale = np.max(np.abs(got - want), initial=0.0), np.max(np.abs(want), initial=0.0)
    return float(difference / scale) if scale else float(np.where(difference, np.inf, 0.0))


def worst(got: Iterable[Array], want: Iterable[Array]) -> float:
    """The largest `relative` over the tensors."""
    return max(relative(g, w) for g, w in zip(got, want, strict=True))


def flat(weights: Weights) -> Array:
    """The row of parameters: W, then b, of every dense layer in order."""
    return np.concatenate([tensor.ravel() for pair in weights for tensor in pair])


def unflat(row: Array, like: Weights) -> list[Array]:
    """The tensors W, b, W, b ... in a row of parameters, with the shapes of `like`."""
    shapes = [tensor.shape for pair in like for tensor in pair]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(row, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def tensors(weights: Weights) -> list[Array]:
    """W, b, W, b ... as one list."""
    return [tensor for pair in weights for tensor in pair]


def cast(weights: Weights, dtype: str) -> Weights:
    """The weights in another dtype."""
    return [(W.astype(dtype), b.astype(dtype)) for W, b in weights]


def nudged(values: Array) -> Array:
    """The numbers, each moved by one rounding of its dtype up or down."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], values.shape).astype(values.dtype)
    return np.asarray(values * (1 + np.finfo(values.dtype).eps * signs))


def nudged_weights(weights: Weights) -> Weights:
    """The weights, each moved by one rounding up or down."""
    return [(nudged(W), nudged(b)) for W, b in weights]


@contextmanager
def nudged_activations() -> Iterator[None]:
    """The textbook with activations off by one rounding, which is much of a slope such as 1 - a^2 where a is nearly 1.

    A slope is taken from the rounded activation, by the engine's own formula.
    """
    exact = naive.sigma

    def sigma(name: str, z: Array) -> Array:
        return exact(name, z) if name in ("linear", "relu") else nudged(exact(name, z))

    def sigma_prime(name: str, z: Array) -> Array:
        a, of_engine = sigma(name, z), activations.ACTIVATIONS[activations.code_of(name)]
        slope = of_engine.slope(a, nudged(z)) if of_engine.needs_z else of_engine.slope(a)
        return np.broadcast_to(slope, a.shape).astype(z.dtype)

    with patch.object(naive, "sigma", sigma), patch.object(naive, "sigma_prime", sigma_prime):
        yield
