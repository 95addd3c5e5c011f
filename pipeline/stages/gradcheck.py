"""Stage `gradcheck`: every architecture in use, its gradients against central differences of the reported cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from kernels.ensemble import NetworkSpec, gradients, initial_params
from kernels.layout import layout_of
from kernels.rng import stream
from pipeline import made_from, progress, receipts, store
from pipeline.check import load
from pipeline.grid import Shape, cells
from pipeline.paths import Paths
from pipeline.stages import _stage

N_SAMPLES = 20
N_COORDINATES = 10
STEP = 1e-5
LIMIT = 1e-6
"""Largest relative error allowed: a wrong gradient is off by far more, a right one by about 1e-9."""


@receipts.kept(made_from.gradcheck)
def run(paths: Paths) -> dict[str, Any]:
    """Write gradcheck/gradcheck.parquet; raises ArithmeticError naming the tensor whose gradient is wrong."""
    settings, dataset = load(paths)
    grids = [cells(sweep, dataset.n_outputs, len(dataset.train.x)) for sweep in settings.sweeps.values()]
    shapes = {str(cell.spec.architecture): cell.shape for grid in grids for cell in grid}
    x, y = (values[:N_SAMPLES] for values in (dataset.inputs(dataset.train), dataset.outputs(dataset.train)))
    rows: list[dict[str, Any]] = []
    with progress.bar("gradient check") as advance:
        for done, shape in enumerate(shapes.values(), 1):
            rows += check(shape, x, y, settings.seed)
            advance(done, len(shapes))
    wrong = [row for row in rows if not row["relative_error"] <= LIMIT]  # NaN is wrong too
    if wrong:
        raise ArithmeticError(f"the gradient check failed: {wrong[0]}; allowed: a relative error up to {LIMIT}")
    store.write_table(paths.gradcheck, pd.DataFrame(rows))
    return {"architectures": len(shapes), "worst_relative_error": max(row["relative_error"] for row in rows)}


def check(shape: Shape, x: np.ndarray, y: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """One row a tensor (W1, b1, W2, ..., x) of a freshly drawn network on x (n, n_features), y (n, n_outputs), float64.

    Relative to the largest gradient of the tensor, or to a thousandth of the network's largest where that is more.
    """
    architecture = shape.architecture
    params = initial_params(NetworkSpec(architecture, "assignment", 0), x.shape[1], len(x), seed)
    x = x.copy()
    exact = gradients(architecture, params, x, y)
    variables = [*layout_of(architecture, x.shape[1]).weights(params)]
    tensors = [(f"W{n}", W, exact.W[n - 1]) for n, (W, _) in enumerate(variables, 1)]
    tensors += [(f"b{n}", b, exact.b[n - 1]) for n, (_, b) in enumerate(variables, 1)]
    tensors.append(("x", x, exact.x))
    floor = 1e-3 * max(np.abs(gradient).max() for _, _, gradient in tensors)
    generator = stream(seed, "gradcheck", 0)

    def cost() -> float:
        return float(gradients(architecture, params, x, y).half_mse.sum())

    rows = []
    for name, variable, gradient in tensors:
        largest = float(np.abs(gradient).max())
        differences = [
            abs(gradient[index] - slope) for index, slope in smooth_slopes(cost, variable, generator.permutation)
        ]
        error = float(np.max(differences, initial=0.0))
        rows.append(
            {
                "architecture": str(architecture),
                "activation": shape.activation,
                "tensor": name,
                "n_coordinates": len(differences),
                "max_difference": error,
                "max_gradient": largest,
                "relative_error": error / max(largest, floor),
            }
        )
    return rows


def smooth_slopes(
    cost: Callable[[], float], variable: np.ndarray, permutation: Callable[[int], np.ndarray]
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Central differences of `cost` along up to N_COORDINATES random coordinates of `variable`, changed in place.

    A coordinate that moves a unit across the kink of ReLU has no derivative there: differences over the whole and half
    the step then disagree, and another coordinate is taken.
    """
    found = 0
    for flat in permutation(variable.size):
        if found == N_COORDINATES:
            return
        index = tuple(int(i) for i in np.unravel_index(flat, variable.shape))
        whole, half = (central_difference(cost, variable, index, step) for step in (STEP, STEP / 2))
        if abs(whole - half) <= 1e-7 * (1.0 + abs(whole)):
            found += 1
            yield index, whole


def central_difference(cost: Callable[[], float], variable: np.ndarray, index: tuple[int, ...], step: float) -> float:
    """(C(v + step) - C(v - step)) / (2 step) along one coordinate of `variable`, which is left as it was."""
    value = variable[index]
    variable[index] = value + step
    above = cost()
    variable[index] = value - step
    below = cost()
    variable[index] = value
    return (above - below) / (2 * step)


if __name__ == "__main__":
    _stage.main("gradcheck", run)
