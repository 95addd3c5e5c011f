"""Stage `gradcheck`: every architecture in use, its gradients against central differences of the reported cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from shoal.kernels.ensemble import Gradients, NetworkSpec, gradients, initial_params, predict
from shoal.kernels.entropy import stream
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import layout_of
from shoal.pipeline import progress, store
from shoal.pipeline.errors import ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.stages import _stage
from shoal.pipeline.store.entries import folder_of
from shoal.pipeline.store.entries.checks import Checks
from shoal.pipeline.study.check import load
from shoal.pipeline.study.grid import Shape, cells

Index: TypeAlias = tuple[int, ...]
EPSILON = float(np.finfo(np.float64).eps)
N_SAMPLES = 20
N_COORDINATES = 10
N_TRIED = 100
"""Coordinates of a tensor that are tried at most, to find N_COORDINATES with a derivative that can be measured."""
STEPS = 4.0 ** -np.arange(14)
"""Steps of central differences over the size of what is moved: from all of it to a hundred-millionth."""
LIMIT = 1e-6
"""Largest relative error allowed: a wrong gradient is off by far more, a right one by about 1e-9."""
AGREEMENT = LIMIT / 100
"""How well two measurements of a derivative have to agree, relative to the gradient, to be compared with it."""
FLOOR = 1e-5
"""Gradients are compared down to this part of cost over size; with smaller ones, nothing but rounding would be seen."""


class GradientError(ShoalError):
    """A gradient that is not the derivative of the cost, or that cannot be compared with it."""


@receipts.kept(made_from.gradcheck)
def run(paths: Paths) -> dict[str, Any]:
    """Write gradcheck/gradcheck.parquet; raises GradientError naming the tensor that has not passed."""
    settings, dataset = load(paths)
    store.refuse_unwritable(paths.gradcheck)
    grids = [cells(sweep, dataset.n_outputs, dataset.n_train) for sweep in settings.sweeps.values()]
    shapes = {str(cell.spec.architecture): cell.shape for grid in grids for cell in grid}
    x, y = (values[:N_SAMPLES] for values in (dataset.inputs(dataset.train), dataset.outputs(dataset.train)))
    loss = "cross_entropy" if dataset.classes else "squared"
    kept, new = Checks(folder_of(paths), Path(__file__), x, y, f"{settings.seed}, {loss}"), dict[str, Any]()
    rows: list[dict[str, Any]] = []
    with progress.bar("gradient check") as advance:
        for done, (name, shape) in enumerate(shapes.items(), 1):
            known = kept.get(name)
            found = new.setdefault(name, check(shape, x, y, settings.seed, loss)) if known is None else known
            rows += [row | {"activation": shape.activation} for row in found]  # as the sweep writes it, now
            advance(done, len(shapes))
    refuse(rows)
    kept.put(new)
    store.write_table(paths.gradcheck, pd.DataFrame(rows))
    return {"architectures": len(shapes), "worst_relative_error": max(row["relative_error"] for row in rows)}


def refuse(rows: list[dict[str, Any]]) -> None:
    """Raise GradientError for the first tensor whose gradient is wrong, or of which no coordinate was compared."""
    failed = [row for row in rows if not (row["n_coordinates"] and row["relative_error"] <= LIMIT)]  # NaN is wrong too
    if not failed:
        return
    first = failed[0]
    if first["n_coordinates"]:
        found = f"a relative error of {first['relative_error']:.1e}"
        allowed = f"up to {LIMIT:.0e}; the kernels are at fault, and `make test` shows where"
    else:
        found = "no coordinate whose derivative can be measured"
        allowed = "at least one; with data.standardise true, numbers have a size that costs can be computed of"
    others = f" and {len(failed) - 1} more" if failed[1:] else ""
    where = f"gradient check of '{first['architecture']}', tensor {first['tensor']}{others}"
    raise GradientError(f"{where}: found {found}; allowed: {allowed}")


def _squared_size(y_hat: np.ndarray, y: np.ndarray) -> float:
    return float(np.abs(y_hat * (y_hat - y)).sum(axis=1).mean())


def _squared_change(above: np.ndarray, below: np.ndarray, y: np.ndarray) -> float:
    """The difference of squares is multiplied out, since the costs of large targets have no digits left for what a step
    changes."""
    return float(((above - below) * ((above + below) / 2 - y)).sum() / len(y))


def _cross_entropy_size(z: np.ndarray, y: np.ndarray) -> float:
    return float((np.abs(_log_total(z)) + np.abs(y * z).sum(axis=1)).mean())


def _cross_entropy_change(above: np.ndarray, below: np.ndarray, y: np.ndarray) -> float:
    """The probabilities y of a sample add up to 1: -sum y log softmax(z) = log sum exp(z) - sum y z."""
    return float((_log_total(above) - _log_total(below) - (y * (above - below)).sum(axis=1)).mean())


def _log_total(z: np.ndarray) -> np.ndarray:
    top = z.max(axis=1)
    total: np.ndarray = top + np.log(np.exp(z - top[:, np.newaxis]).sum(axis=1))
    return total


COSTS: dict[str, tuple[Callable[..., float], Callable[..., float]]] = {
    "squared": (_squared_size, _squared_change),
    "cross_entropy": (_cross_entropy_size, _cross_entropy_change),
}
"""By loss, of outputs and targets (n, n_outputs): the size of what the cost is added up from, which rounding goes with;
and by how much the cost is larger for some outputs than for others."""


def check(shape: Shape, x: np.ndarray, y: np.ndarray, seed: int, loss: str = "squared") -> list[dict[str, Any]]:
    """One row a tensor (W1, b1, W2, ..., x) of a freshly drawn network on x (n, n_features), y (n, n_outputs), float64.

    Errors are relative to the largest gradient of the tensor, or to what rounding leaves to be seen where that is more.
    """
    architecture, generator = shape.architecture, stream(seed, "gradcheck", 0)
    params = initial_params(NetworkSpec(architecture, "assignment", 0), x.shape[1], len(x), seed)
    x = off_the_kinks(x, generator.uniform(0.0, 0.01, x.shape))

    def outputs() -> np.ndarray:
        return predict(architecture, params, x)

    rows = []
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is not compared
        exact, (size, change) = gradients(architecture, params, x, y, loss=loss), COSTS[loss]
        cost = size(outputs(), y)
        for name, variable, gradient in _tensors(architecture, params, x, exact):
            sizes = _sizes(variable, axis=0 if name == "x" else None)
            scales = np.fmax(np.abs(gradient).max(), FLOOR * cost / sizes)
            difference = partial(central_difference, outputs, partial(change, y=y), variable)
            coordinates = _candidates(gradient, generator)
            slopes = smooth_slopes(difference, coordinates, sizes, scales, EPSILON * cost)
            compared = dict(islice(slopes, N_COORDINATES))
            differences = {index: abs(gradient[index] - slope) for index, slope in compared.items()}
            errors = [difference / scales[index] for index, difference in differences.items()]
            rows.append(
                {
                    "architecture": str(architecture),
                    "activation": shape.activation,
                    "tensor": name,
                    "n_coordinates": len(errors),
                    "max_difference": float(np.max(list(differences.values()), initial=0.0)),
                    "max_gradient": float(np.abs(gradient).max()),
                    "relative_error": float(np.max(errors, initial=0.0)),
                }
            )
    return rows


def off_the_kinks(x: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """x (n, n_features), moved towards 0, or off it, by these parts of the largest number of the column.

    Data often has round numbers, and a relu that it goes through has no derivative at 0.
    """
    size = _sizes(x, axis=0)
    moved: np.ndarray = x - parts * np.where(x > 0, size, -size)
    return moved


def smooth_slopes(
    difference: Callable[[Index, float], float],
    coordinates: Iterable[Index],
    sizes: np.ndarray,
    scales: np.ndarray,
    rounding: float,
) -> Iterator[tuple[Index, float]]:
    """Coordinates along which the derivative can be measured, and the derivative; see `derivative`."""
    for index in coordinates:
        slope = derivative(partial(difference, index), sizes[index] * STEPS, scales[index], rounding)
        if slope is not None:
            yield index, slope


def derivative(difference: Callable[[float], float], steps: np.ndarray, scale: float, rounding: float) -> float | None:
    """What central differences over ever smaller steps come to, as soon as two extrapolations of them agree, or None.

    Steps begin with the variable's own size, where `rounding` of the cost does least, and shrink until the cost is
    smooth from one end to the other: no unit crosses the kink of relu any more. How well they have to agree is relative
    to `scale`, or to the derivative where that is more.
    """
    coarse = before = np.nan
    for step in steps:
        fine = difference(step)
        slope = fine + (fine - coarse) / 15  # the error of `fine` is a 16th, as its step is a 4th
        if max(abs(slope - before), rounding / step) <= AGREEMENT * max(scale, abs(slope)) < np.inf:
            return float(slope)
        coarse, before = fine, slope
    return None


def central_difference(
    outputs: Callable[[], np.ndarray], change: Callable[..., float], variable: np.ndarray, index: Index, step: float
) -> float:
    """(C(v + step) - C(v - step)) / (2 step) along one coordinate of `variable`, which is left as it was."""
    value = variable[index]
    upper = variable[index] = value + step
    above = outputs()
    lower = variable[index] = value - step
    below = outputs()
    variable[index] = value
    return float(change(above, below) / (upper - lower))


def _tensors(
    architecture: Architecture, params: np.ndarray, x: np.ndarray, exact: Gradients
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, variable (a view, to be moved) and gradient of every tensor."""
    variables = list(layout_of(architecture, x.shape[1]).weights(params))
    tensors = [(f"W{n}", W, exact.W[n - 1]) for n, (W, _) in enumerate(variables, 1)]
    tensors += [(f"b{n}", b, exact.b[n - 1]) for n, (_, b) in enumerate(variables, 1)]
    return [*tensors, ("x", x, exact.x)]


def _sizes(variable: np.ndarray, axis: int | None) -> np.ndarray:
    """The largest number along `axis` (None is all), or 1 where all are 0, in the shape of `variable`."""
    largest = np.abs(variable).max(axis=axis, keepdims=True)
    return np.broadcast_to(np.where(largest > 0, largest, 1.0), variable.shape)


def _candidates(gradient: np.ndarray, generator: np.random.Generator) -> Iterator[Index]:
    """Up to N_TRIED coordinates: the one with the largest gradient, and others at random."""
    first = int(np.abs(gradient).argmax())
    others = [int(flat) for flat in generator.permutation(gradient.size) if flat != first]
    for flat in [first, *others][:N_TRIED]:
        yield tuple(int(i) for i in np.unravel_index(flat, gradient.shape))


if __name__ == "__main__":
    _stage.main("gradcheck", run)
