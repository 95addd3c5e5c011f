"""What the networks look like and what they are trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.data import Dataset
from shoal.pipeline.figures import network, room
from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.figures.style import COLOUR_NAMES
from shoal.pipeline.preparation import BOOLEAN
from shoal.pipeline.report.claims.wording import counted, shortened
from shoal.pipeline.report.document.blocks import Plot, Section, Table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.report.study import Study

MOST_NAMED = 100
"""Columns of a kind that the table of the data names."""

EXAMPLE = Architecture.plain((5, 3), "relu", 1)
"""The network that the assignment asks to be drawn: one input, hidden layers of 5 and 3, one linear output."""


@lru_cache
def example_network(study: Study) -> Section:
    """The assignment's example, or else the first network of the study."""
    if study.is_assignment:
        caption = f"One input, hidden layers of 5 and 3 units, one linear output unit. {colours(EXAMPLE)}"
        return Section(
            "A small network", [Plot("example_network", caption, Drawing(network.drawing, EXAMPLE, 1))], "2a"
        )
    first, n_inputs = study.sweeps[0], study.dataset.n_inputs
    cell = first.cells.iloc[0]
    architecture = Architecture.parse(cell["architecture"])
    what = f"{cell['cell']} of sweep {first.name}: {counted(n_inputs, 'input')}, {architecture}."
    caption, drawing = f"{what} {colours(architecture)}", Drawing(network.drawing, architecture, n_inputs)
    return Section("A network of the study", [Plot("example_network", caption, drawing)])


def colours(architecture: Architecture) -> str:
    """What the colours of a drawing mean."""
    shown = [f"{COLOUR_NAMES[name]} {name}" for name in architecture.activations if name != "linear"]
    return f"Colours are activations: {', '.join([*shown, 'white linear'])}."


@lru_cache
def network_plots(results: SweepResults) -> list[Plot]:
    """Drawings of the architectures that a sweep describes itself, as many as there is room for."""
    if not results.settings.architecture:
        return []
    return [
        Plot(
            f"{results.name}/network_{cell['series']}",
            f"{cell['series']}: {cell['architecture']}",
            Drawing(network.drawing, Architecture.parse(cell["architecture"]), results.dataset.n_inputs),
        )
        for _, cell in room.few(results.cells, {"series": room.SERIES}).cells.drop_duplicates("series").iterrows()
    ]


def data_section(study: Study) -> Section:
    """Source, columns and sizes of the splits."""
    config, dataset = study.config, study.dataset
    splits = [("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test)]
    if dataset.folds:
        splits[:2] = [(f"train and validation, in {len(dataset.folds)} splits by folds,", dataset.train)]
    if dataset.calibration is not None:
        splits.insert(2, ("calibration", dataset.calibration))
    is_function = config.data.source == "function"
    source = ", as in the assignment" if study.is_assignment else ""
    rows = [
        ["source", "y = sin(x), x uniform on [-π, π]" if is_function else _tables(config.data.files)],
        *([["training points", _LEGACY.format(seed=config.seed, assignment=source)]] if is_function else []),
        ["features", _some(dataset.feature_names)],
        *_prepared(dataset),
        ["targets", _some(dataset.target_names)],
        *([["classes", _classes(dataset)]] if dataset.classes else []),
        ["samples", ", ".join(f"{name} {len(split.x)}" for name, split in splits)],
        ["units", "as they are" if is_function or not config.data.standardise else _standardised(dataset)],
    ]
    return Section("Data", [Table("", ["", ""], rows)])


def _some(texts: Sequence[str], between: str = ", ") -> str:
    """These one after another, of more than MOST_NAMED some."""
    return between.join(shortened(texts, MOST_NAMED))


def _tables(files: Mapping[str, str]) -> str:
    """The table of all rows, or that of each part."""
    parts = "; ".join(f"{name}: {path}" for name, path in files.items())
    return f"the table {files['path']}" if "path" in files else f"tables, {parts}"


def _classes(dataset: Dataset) -> str:
    """The classes, each with its rows in the training split, or in all folds."""
    counts = dataset.train.y.sum(axis=0)
    rows = ", ".join(f"{name} {n:.0f}" for name, n in zip(dataset.classes.names, counts, strict=True))
    use = "to train on and to choose by" if dataset.folds else "to train on"
    return f"{len(counts)}, with so many rows {use}: {rows}"


def _fitted_on(dataset: Dataset) -> str:
    return "training rows of each split" if dataset.folds else "training split"


def _prepared(dataset: Dataset) -> list[list[str]]:
    """A row for each kind of columns that are no plain numbers; of folds, with the medians and levels of them all."""
    columns = dataset.preparation.columns
    levels = [f"{column.name}: {', '.join(column.levels)}" for column in columns if column.levels]
    binary = [column.name for column in columns if column.kind == BOOLEAN]
    medians = [f"{column.name}: {column.median:.6g}" for column in columns if column.is_told and not column.levels]
    told = [column.name for column in columns if column.is_told]
    rows = [
        ["true and false", f"inputs of 1 and 0: {_some(binary)}" if binary else ""],
        ["categories", f"an input of 1 or 0 for each level; {_some(levels, '; ')}" if levels else ""],
        ["missing cells", f"an input of 1 where a cell is missing: {_some(told)}" if told else ""],
        ["in their place", f"the median of the {_fitted_on(dataset)}; {_some(medians)}" if medians else ""],
    ]
    return [row for row in rows if row[1]]


def _standardised(dataset: Dataset) -> str:
    text = _STANDARDISED.format(rows=_fitted_on(dataset))
    return text + ("" if dataset.preparation.is_scaled.all() else "; inputs of 1 and 0 stay as they are")


_LEGACY = "the first numbers of NumPy's legacy generator with seed {seed}{assignment}"
_STANDARDISED = "networks see columns of mean 0 and deviation 1 (on the {rows}); errors keep the table's units"
