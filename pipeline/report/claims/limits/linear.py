"""The least cost that a network can reach, where it is linear in known functions of x and so needs no training."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from shoal.kernels.network.activations import ACTIVATIONS, code_of
from shoal.kernels.network.architecture import Activation, Architecture, Dense, Group, Layer, Path, Sum
from shoal.pipeline.data.dataset import Dataset

Chain = tuple[str, ...]


@dataclass(frozen=True)
class Floor:
    """Functions of x that a network combines linearly (as text), the least train cost it reaches, and a line's."""

    functions: tuple[str, ...]
    cost: float
    line_cost: float


def floor(architecture: Architecture, dataset: Dataset) -> Floor | None:
    """Least squares over all the functions the network can be; None where it is no linear combination of fixed ones.

    Only for one output: with several, narrow layers can make some combinations unreachable. Networks
    of folds have rows of their own each.
    """
    chains = _chains(architecture)
    if chains is None or dataset.n_outputs > 1 or dataset.folds:
        return None
    least, line = _least_cost(chains, dataset), _least_cost([()], dataset)
    return Floor(tuple(map(_text, chains)), least, line)


def _least_cost(chains: list[Chain], dataset: Dataset) -> float:
    """Smallest train cost of w0 + sum w_j f_j(x) over the functions f_j, in the target's own units squared."""
    x, y = dataset.inputs(dataset.train), dataset.outputs(dataset.train)
    design = np.hstack([np.ones((len(x), 1)), *(_apply(chain, x) for chain in chains)])
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    return float(np.mean((dataset.y_scaling.scale * (design @ weights - y)) ** 2) / 2)


def _chains(architecture: Architecture) -> list[Chain] | None:
    """Distinct chains of activations in front of the first dense layers; None if others come later."""
    found = _along(architecture.layers, _Span([()], False))
    return list(dict.fromkeys(found.chains)) if found else None


@dataclass(frozen=True)
class _Span:
    """Units that are each one of these chains, or where they are `mixed`, any linear combination of them."""

    chains: list[Chain]
    mixed: bool


def _along(path: Path, span: _Span) -> _Span | None:
    """What a path makes of a span; None where that is no span."""
    for layer in path:
        found = _behind(layer, span)
        if found is None:
            return None
        span = found
    return span


def _behind(layer: Layer, span: _Span) -> _Span | None:
    if isinstance(layer, Dense):
        return _Span(span.chains, True)
    if isinstance(layer, Activation):
        if span.mixed:
            return None if _is_bend(layer) else span
        return _Span([_chain((*chain, layer.name)) for chain in span.chains], False)
    if isinstance(layer, Group):
        ends = [end for branch in layer.branches if (end := _along(branch, span))]
        if len(ends) < len(layer.branches) or (isinstance(layer, Sum) and not all(end.mixed for end in ends)):
            return None  # the sum of two chains is none
        return _Span([chain for end in ends for chain in end.chains], any(end.mixed for end in ends))
    return span  # dropout


def _is_bend(layer: object) -> bool:
    return isinstance(layer, Activation) and layer.name != "linear"


def _chain(names: Chain) -> Chain:
    """Activations one behind the other, `linear` left out and relu(relu(x)), which is relu(x), written once."""
    runs = groupby(name for name in names if name != "linear")
    return tuple(name for name, run in runs for _ in ([1] if name == "relu" else run))


def _apply(chain: Chain, x: np.ndarray) -> np.ndarray:
    for name in chain:
        x = ACTIVATIONS[code_of(name)].value(x)
    return x


def _text(chain: Chain) -> str:
    text = "x"
    for name in chain:
        text = f"{name}({text})"
    return text
