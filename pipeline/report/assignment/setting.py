"""What the networks look like and what they are trained on."""

from __future__ import annotations

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.figures.network import drawing
from shoal.pipeline.figures.style import COLOUR_NAMES
from shoal.pipeline.report.claims.wording import counted
from shoal.pipeline.report.document.blocks import Plot, Section, Table
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.report.study import Study

EXAMPLE = Architecture.plain((5, 3), "relu", 1)
"""The network that the assignment asks to be drawn: one input, hidden layers of 5 and 3, one linear output."""


def example_network(study: Study) -> Section:
    """The assignment's example, or else the first network of the study."""
    if study.is_assignment:
        caption = f"One input, hidden layers of 5 and 3 units, one linear output unit. {colours(EXAMPLE)}"
        return Section("A small network", [Plot("example_network", caption, drawing(EXAMPLE, 1))], "2a")
    first, n_features = study.sweeps[0], study.dataset.n_features
    cell = first.cells.iloc[0]
    architecture = Architecture.parse(cell["architecture"])
    what = f"{cell['cell']} of sweep {first.name}: {counted(n_features, 'input')}, {architecture}."
    caption, figure = f"{what} {colours(architecture)}", drawing(architecture, n_features)
    return Section("A network of the study", [Plot("example_network", caption, figure)])


def colours(architecture: Architecture) -> str:
    """What the colours of a drawing mean."""
    shown = [f"{COLOUR_NAMES[name]} {name}" for name in architecture.activations if name != "linear"]
    return f"Colours are activations: {', '.join([*shown, 'white linear'])}."


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


def data_section(study: Study) -> Section:
    """Source, columns and sizes of the splits."""
    config, dataset = study.config, study.dataset
    splits = (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
    is_function = config.data.source == "function"
    source = ", as in the assignment" if study.is_assignment else ""
    rows = [
        ["source", "y = sin(x), x uniform on [-π, π]" if is_function else f"the table {config.data.path}"],
        *([["training points", _LEGACY.format(seed=config.seed, assignment=source)]] if is_function else []),
        ["features", ", ".join(dataset.feature_names)],
        ["targets", ", ".join(dataset.target_names)],
        ["samples", ", ".join(f"{name} {len(split.x)}" for name, split in splits)],
        ["units", "as they are" if is_function or not config.data.standardise else _STANDARDISED],
    ]
    return Section("Data", [Table("", ["", ""], rows)])


_LEGACY = "the first numbers of NumPy's legacy generator with seed {seed}{assignment}"
_STANDARDISED = "networks see columns of mean 0 and deviation 1 (on the training split); errors keep the table's units"
