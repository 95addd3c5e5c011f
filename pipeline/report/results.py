"""The results of one sweep as tables and figures need them: what varies, the best networks, learning-curve bands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from shoal.kernels.ensemble import gradients, predict
from shoal.pipeline import store
from shoal.pipeline.config import Sweep
from shoal.pipeline.data.dataset import Dataset, Split
from shoal.pipeline.figures.curves import DRAWN_POINTS, Band
from shoal.pipeline.figures.fits import InputGradient
from shoal.pipeline.hyperparameters import LOSSES
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Predictor
from shoal.pipeline.statistics import axes, quantiles
from shoal.pipeline.statistics.errors import best_first, best_networks, costs_of, deciding, log10, task_of
from shoal.pipeline.tasks import Cost, Error, Task

DIFFERENCE_STEP = 1e-5


@dataclass(frozen=True, eq=False)
class SweepResults:
    """One sweep: `cells` as prepared by axes.py, `networks` (a row each, with series, errors, architecture).

    `contrasts` are its rows of contrasts.parquet; `part` is what it answers of the assignment, if it answers a part;
    `baselines` is baselines.parquet, where results stand beside it.
    """

    name: str
    settings: Sweep
    dataset: Dataset
    cells: pd.DataFrame
    networks: pd.DataFrame
    contrasts: pd.DataFrame
    curves: store.LearningCurves
    paths: Paths
    part: str
    baselines: pd.DataFrame | None

    @property
    def task(self) -> Task:
        """What its networks were trained for."""
        return task_of(self.cells)

    @property
    def costs(self) -> list[Cost]:
        """The costs that its networks were trained on."""
        return costs_of(self.cells)

    @property
    def cost_names(self) -> str:
        """What sentences call these."""
        return " or ".join(cost.name for cost in self.costs)

    @property
    def is_validated(self) -> bool:
        """Whether any of its networks takes validation costs."""
        return store.VALIDATION_COST in self.curves.columns

    @property
    def error(self) -> Error:
        """The error that decides."""
        return deciding(self.cells)

    @property
    def all_diverged(self) -> bool:
        """Whether no network of the sweep is left."""
        return bool((self.networks["status"] == "diverged").all())

    @cached_property
    def axes(self) -> list[str]:
        """The axes that vary, in the order of axes.LABELS."""
        return axes.varying(self.cells)

    @cached_property
    def best(self) -> pd.DataFrame:
        """Per cell that did not diverge as a whole, the network with the smallest validation error; by cell."""
        return best_networks(self.networks[self.networks["status"] != "diverged"]).set_index("cell")

    @cached_property
    def best_of_series(self) -> pd.DataFrame:
        """The best network of each series, in the order of the cells, indexed by cell."""
        winners = best_first(self.best).drop_duplicates("series")
        return winners.sort_values("series", key=lambda s: s.map(axes.series_of(self.cells).index), kind="stable")

    @cached_property
    def log10_errors(self) -> pd.DataFrame:
        """log10 of the error that cells are judged by, a row a replicate and a column a cell."""
        networks = self.networks.assign(log10=log10(self.networks[self.error.of(self.error.judged)]))
        return networks.pivot(index="replicate", columns="cell", values="log10")

    def trained_on(self, cell: str) -> Dataset:
        """What the best network of a cell was trained on."""
        return self.dataset.part_of(int(self.best["replicate"].loc[cell]))

    def predictor(self, cell: str) -> Predictor:
        """The best network of a cell, in the user's units."""
        return self.trained_on(cell).predictor(*self._best_fitted[str(self.best.loc[cell, "network_id"])])

    def fitted(self, network_ids: Iterable[str]) -> dict[str, tuple[str, np.ndarray]]:
        """Notation and parameters of some networks, by their ids."""
        weights = store.weights_of(self.paths, self.name, wanted := set(network_ids))
        own = self.networks.loc[self.networks["network_id"].isin(wanted), ["network_id", "architecture"]]
        return {name: (text, weights[name]) for name, text in own.itertuples(index=False)}

    @cached_property
    def _best_fitted(self) -> dict[str, tuple[str, np.ndarray]]:
        return self.fitted(self.best["network_id"])

    def bands(self, cells: Iterable[str], column: str = "cost") -> dict[str, Band]:
        """Learning-curve bands of the named cells; a network that diverged counts as +inf from then on.

        One that stopped early keeps its last cost from then on. `column` is that of the curves.
        """
        networks = self.networks[self.networks["cell"].isin(names := list(cells))]
        members = networks.groupby("cell")[["network_id", "status"]]
        return {cell: _band(self.curves, members.get_group(cell), column) for cell in names}

    def input_gradient(self, cell: str, split: Split) -> InputGradient:
        """dC/dx of every sample's own cost along the first input, for the best network of a cell.

        In the units that the network was trained in; the target of a sample stays fixed while x moves.
        """
        [(architecture, params)] = self.predictor(cell).networks
        params = params.astype(np.float64)
        own = self.trained_on(cell)
        x, y = own.inputs(split), own.outputs(split)
        _, row = next(self.cells[self.cells["cell"] == cell].iterrows())
        [cost] = costs_of(row)
        hypers = tuple((name, float(row[name])) for name in LOSSES[cost.loss])
        found = gradients(architecture, params, x, y, loss=cost.loss, loss_hypers=hypers)
        analytic = len(x) * found.x[:, 0]
        step = np.zeros(x.shape[1])
        step[0] = DIFFERENCE_STEP
        outputs = (predict(architecture, params, at) for at in (x + step, x - step))
        above, below = (cost.of_samples(y_hat, y, hypers).sum(axis=1) for y_hat in outputs)
        return InputGradient(split.x[:, 0], analytic, (above - below) / (2 * DIFFERENCE_STEP))


def _band(curves: store.LearningCurves, networks: pd.DataFrame, column: str) -> Band:
    """The band of these networks at no more than DRAWN_POINTS steps; `curves` has them and others."""
    steps, values = curves.of(networks["network_id"], column)
    stopped = (networks["status"] == "stopped").to_numpy(bool)
    values[stopped] = pd.DataFrame(values[stopped]).ffill(axis=1).to_numpy()
    n = max(len(steps), 1)
    kept = (np.unique(np.rint(np.geomspace(1, n, min(DRAWN_POINTS, n))).astype(int)) - 1)[: len(steps)]
    values = values[:, kept]
    values[np.isnan(values)] = np.inf
    q1, median, q3 = (quantiles(values, q) for q in (0.25, 0.5, 0.75))
    return Band(steps[kept].astype(np.float64), q1, median, q3)


def load(
    paths: Paths, name: str, settings: Sweep, dataset: Dataset, part: str, baselines: pd.DataFrame | None
) -> SweepResults:
    """Read a sweep's tables."""
    files = (paths.cells, paths.networks, paths.contrasts)
    cells, networks, contrasts = (table[table["sweep"] == name] for table in map(store.read_table, files))
    samples = dataset.n_train if settings.duration == "epochs" else None
    cells = axes.prepare(cells, axes.architecture_names(settings, dataset.n_outputs), samples)
    stopping = [column for column in store.columns_of(paths.runs(name)) if column in store.STOPPING_COLUMNS]
    own = ["network_id", "architecture", "train_cost", "diverged_step", *stopping]
    runs = store.read_table(paths.runs(name), own)
    networks = networks.merge(runs, on="network_id", validate="one_to_one")
    networks = networks.merge(cells[["cell", "series"]], on="cell", validate="many_to_one")
    curves = store.LearningCurves(paths.curves(name))
    return SweepResults(name, settings, dataset, cells, networks, contrasts, curves, paths, part, baselines)
