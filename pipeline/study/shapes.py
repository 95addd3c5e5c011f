"""The shapes of a sweep's networks, summed up from the lists in params.yaml without making the grid that they span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from shoal.kernels.network.architecture import Dense, Group, Path, units_after
from shoal.pipeline.config import Sweep


@dataclass(frozen=True)
class Shapes:
    """Sums over the shapes of a sweep, and the largest of them.

    `products` are fan-in times fan-out of all dense layers, `first` of those that read the input.
    """

    n: int
    parameters: int
    products: int
    first: int
    most_parameters: int
    most_units: int
    widest: int


def shapes_of(sweep: Sweep, n_in: int, n_out: int) -> Shapes:
    """The sums of a sweep whose networks have so many inputs and outputs."""
    if sweep.architecture is not None:
        networks = (architecture.with_output(n_out) for architecture in sweep.architecture.values())
        return _summed(list(_layers(network.layers, n_in, True)) for network in networks)
    if sweep.hidden_sizes is not None:
        rows = ((n_in, *hidden, n_out) for hidden in sweep.hidden_sizes)
        return _summed([(a, b, i == 0) for i, (a, b) in enumerate(pairwise(row))] for row in rows)
    depths, widths = sweep.depth or (), sweep.width or ()
    # d layers of w units: w n_in + (d - 1) w^2 + w n_out products, and d w + n_out biases, summed over both lists
    n, total, squares = len(depths), sum(widths), sum(width**2 for width in widths)
    products = n * total * (n_in + n_out) + sum(depth - 1 for depth in depths) * squares
    biases = sum(depths) * total + n * len(widths) * n_out
    deepest, widest = max(depths), max(widths)
    largest = widest * (n_in + n_out + deepest) + (deepest - 1) * widest**2 + n_out
    units = n_in + deepest * widest + n_out
    return Shapes(n * len(widths), products + biases, products, n * total * n_in, largest, units, max(n_in, widest))


def _layers(path: Path, units: int, at_input: bool) -> Iterator[tuple[int, int, bool]]:
    """Fan-in and fan-out of every dense layer, and whether it reads the input itself."""
    for layer in path:
        if isinstance(layer, Dense):
            yield units, layer.units, at_input
        elif isinstance(layer, Group):
            for branch in layer.branches:
                yield from _layers(branch, units, at_input)
        units, at_input = units_after((layer,), units), False


def _summed(networks: Iterable[list[tuple[int, int, bool]]]) -> Shapes:
    """The sums over networks given by their dense layers."""
    rows = [
        (
            1,
            sum((fan_in + 1) * fan_out for fan_in, fan_out, _ in layers),
            sum(fan_in * fan_out for fan_in, fan_out, _ in layers),
            sum(fan_in * fan_out for fan_in, fan_out, at_input in layers if at_input),
            sum(fan_out for _, fan_out, _ in layers),
            max(fan_in for fan_in, _, _ in layers),
        )
        for layers in networks
    ]
    n, parameters, products, first, units, widest = zip(*rows, strict=True)
    return Shapes(sum(n), sum(parameters), sum(products), sum(first), max(parameters), max(units), max(widest))
