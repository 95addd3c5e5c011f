"""The least cost that a network can reach, where it is linear in known functions of x and so needs no training."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from shoal.kernels.network.activations import ACTIVATIONS, code_of
from shoal.kernels.network.architecture import Activation, Architecture, Dense, Path
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

    Only for one output: with several, narrow layers can make some combinations unreachable.
    """
    chains = _chains(architecture)
    if chains is None or dataset.n_outputs > 1:
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
    """Distinct chains of activations in front of the first dense layer of each branch; None if others come later."""
    if any(_is_bend(layer) for layer in architecture.trunk):
        return None
    chains: list[Chain] = []
    for branch in architecture.branches or ((Dense(1),),):
        ends = [n for n, layer in enumerate(branch) if isinstance(layer, Dense)]
        if not ends or any(_is_bend(layer) for layer in branch[ends[0] :]):
            return None
        chains.append(_chain(branch[: ends[0]]))
    return list(dict.fromkeys(chains))


def _is_bend(layer: object) -> bool:
    return isinstance(layer, Activation) and layer.name != "linear"


def _chain(path: Path) -> Chain:
    """The activations of a path, `linear` left out and relu(relu(x)), which is relu(x), written once."""
    names = [layer.name for layer in path if isinstance(layer, Activation) and layer.name != "linear"]
    return tuple(name for name, run in groupby(names) for _ in ([1] if name == "relu" else run))


def _apply(chain: Chain, x: np.ndarray) -> np.ndarray:
    for name in chain:
        x = ACTIVATIONS[code_of(name)].value(x)
    return x


def _text(chain: Chain) -> str:
    text = "x"
    for name in chain:
        text = f"{name}({text})"
    return text
