"""What the networks look like and what they are trained on."""

from __future__ import annotations

from kernels.architecture import Architecture
from pipeline.config import Config
from pipeline.data import Dataset
from pipeline.drawing import drawing
from pipeline.report.document import Section
from pipeline.report.plots import Plot
from pipeline.report.results import SweepResults
from pipeline.report.tables import Table

EXAMPLE = Architecture.plain((5, 3), "relu", 1)
"""The network that the assignment asks to be drawn: one input, hidden layers of 5 and 3, one linear output."""


def example_network() -> Section:
    """2a: the assignment's example."""
    caption = (
        "One input, hidden layers of 5 and 3 units, one linear output unit. Colours are activations: blue relu, orange "
        "tanh, pink sigmoid, white linear."
    )
    return Section("A small network", [Plot("example_network", caption, drawing(EXAMPLE, 1))], part="2a")


def network_plots(results: SweepResults) -> list[Plot]:
    """Drawings of the architectures that a sweep describes itself."""
    if not results.settings.architecture:
        return []
    return [
        Plot(
            f"{results.name}/network_{cell['series']}",
            f"{cell['series']}: {cell['architecture']}",
            drawing(Architecture.parse(cell["architecture"]), results.dataset.n_features),
        )
        for _, cell in results.cells.drop_duplicates("series").iterrows()
    ]


def data_section(config: Config, dataset: Dataset) -> Section:
    """Source, columns and sizes of the splits."""
    splits = (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
    is_function = config.data.source == "function"
    rows = [
        ["source", "y = sin(x), x uniform on [-π, π]" if is_function else f"the table {config.data.path}"],
        *([["training points", _LEGACY.format(seed=config.seed)]] if is_function else []),
        ["features", ", ".join(dataset.feature_names)],
        ["targets", ", ".join(dataset.target_names)],
        ["samples", ", ".join(f"{name} {len(split.x)}" for name, split in splits)],
        ["units", "as they are" if is_function or not config.data.standardise else _STANDARDISED],
    ]
    return Section("Data", [Table("", ["", ""], rows)])


_LEGACY = "the first numbers of NumPy's legacy generator with seed {seed}, as in the assignment"
_STANDARDISED = "networks see columns of mean 0 and deviation 1 (on the training split); errors keep the table's units"
