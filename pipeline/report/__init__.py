"""The report: one set of sections, from which the HTML page and the Markdown tables are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from kernels.architecture import Architecture
from pipeline.config import Config
from pipeline.data import Dataset
from pipeline.drawing import drawing
from pipeline.figures import style
from pipeline.report.findings import findings
from pipeline.report.plots import Plot
from pipeline.report.render import DEFINITIONS, markdown_table
from pipeline.report.results import SweepResults
from pipeline.report.sections import Section, assignment_table, description, sweep_section
from pipeline.report.tables import Table, number, score_table, summary_table

EXAMPLE = Architecture.plain((5, 3), "relu", 1)
"""The network that the assignment asks to be drawn: one input, hidden layers of 5 and 3, one linear output."""


@dataclass(frozen=True, eq=False)
class Study:
    """All that the report is made of; `chosen` is predictions/chosen.json, `checks` the table of the gradient check."""

    config: Config
    dataset: Dataset
    sweeps: list[SweepResults]
    checks: pd.DataFrame
    chosen: dict[str, Any]


def sections(study: Study) -> list[Section]:
    """The whole report, in its order."""
    with style.house_style():
        return [
            _data(study),
            _networks(study),
            *(sweep_section(results) for results in study.sweeps),
            _gradient_check(study.checks),
            _chosen(study.chosen),
        ]


def markdown(study: Study) -> str:
    """The results as Markdown: a table of the sweeps, then every sweep with its own tables."""
    chosen = _chosen(study.chosen)
    blocks = ["## Results", markdown_table(summary_table(study.sweeps)), DEFINITIONS]
    for results in study.sweeps:
        blocks += [f"### {results.name}", description(results), *findings(results)]
        tables = [score_table(results)]
        if results.settings.init == "assignment-stream":
            tables.append(assignment_table(results))
        for table in tables:
            blocks += [f"{table.caption}:", markdown_table(table)]
    blocks += [f"### {chosen.title}", *chosen.paragraphs, *map(markdown_table, chosen.tables)]
    return "\n\n".join(blocks) + "\n"


def _data(study: Study) -> Section:
    config, dataset = study.config, study.dataset
    splits = (("train", dataset.train), ("validation", dataset.validation), ("test", dataset.test))
    rows = [
        ["source", "y = sin(x) on [-π, π]" if config.data.source == "function" else f"the table {config.data.path}"],
        ["features", ", ".join(dataset.feature_names)],
        ["targets", ", ".join(dataset.target_names)],
        ["samples", ", ".join(f"{name} {len(split.x)}" for name, split in splits)],
        ["hash of the training data", dataset.data_hash[:16]],
        ["arithmetic", config.dtype],
    ]
    return Section("Data", tables=[Table("", ["", ""], rows)])


def _networks(study: Study) -> Section:
    """The assignment's example network, and every architecture that a sweep describes itself."""
    section = Section("Networks", ["Colours are activations: blue relu, orange tanh, pink sigmoid, white linear."])
    caption = "The assignment's example: one input, hidden layers of 5 and 3 units, one linear output unit."
    section.plots.append(Plot("example_network", caption, drawing(EXAMPLE, 1)))
    for results in study.sweeps:
        if results.settings.architecture:
            for _, cell in results.cells.drop_duplicates("series").iterrows():
                figure = drawing(Architecture.parse(cell["architecture"]), study.dataset.n_features)
                caption = f"{cell['series']} of sweep {results.name}: {cell['architecture']}"
                section.plots.append(Plot(f"{results.name}/network_{cell['series']}", caption, figure))
    return section


def _gradient_check(checks: pd.DataFrame) -> Section:
    """A row per activation, architectures of their own together; folded, the worst tensor of each architecture."""
    text = (
        "Every architecture in use, freshly drawn, on some training samples: gradients of half_mse by the backward "
        "pass against central differences, at random coordinates of each tensor (W, b; x is the input)."
    )
    kinds = checks.groupby(checks["activation"].astype(object).fillna("own architecture"), sort=False)
    rows = [
        [
            str(kind),
            str(part["architecture"].nunique()),
            str(part["n_coordinates"].sum()),
            number(part["max_difference"].max(), 1),
            number(part["relative_error"].max(), 1),
        ]
        for kind, part in kinds
    ]
    header = ["activation", "architectures", "coordinates", "largest difference", "largest relative error"]
    worst = checks.loc[checks.groupby("architecture", sort=False)["relative_error"].idxmax()]
    details = [
        [row["architecture"], row["tensor"], str(row["n_coordinates"]), number(row["max_gradient"])]
        + [number(row[name], 1) for name in ("max_difference", "relative_error")]
        for _, row in worst.iterrows()
    ]
    names = ["architecture", "tensor", "coordinates", "largest gradient", "largest difference", "relative error"]
    folded = Table("Of each architecture the tensor that agrees worst", names, details)
    return Section("Gradient check", [text], [Table("", header, rows)], [folded])


def _chosen(chosen: dict[str, Any]) -> Section:
    """The network that predicts the test split, and its error there."""
    text = f"Cell {chosen['cell']} of sweep {chosen['sweep']}, replicate {chosen['replicate']}: {chosen['why']}."
    row = [chosen["network_id"], number(chosen["validation_mse"]), number(chosen["test_mse"])]
    return Section("Test set", [text], [Table("The chosen network", ["network", "validation mse", "test mse"], [row])])
