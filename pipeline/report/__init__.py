"""The report: one set of sections, from which the HTML page, the PDF and the Markdown tables are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from kernels.architecture import Architecture
from pipeline.config import Config
from pipeline.data import Dataset
from pipeline.drawing import drawing
from pipeline.figures import style
from pipeline.report.document import Block, Folded, Section
from pipeline.report.findings import findings
from pipeline.report.markdown import markdown, markdown_table
from pipeline.report.plots import Plot
from pipeline.report.results import SweepResults
from pipeline.report.sections import assignment_table, description, sweep_section
from pipeline.report.tables import Table, number, score_table, summary_table

EXAMPLE = Architecture.plain((5, 3), "relu", 1)
"""The network that the assignment asks to be drawn: one input, hidden layers of 5 and 3, one linear output."""


DEFINITIONS = (
    "half_mse = (1/N) Σₙ ½ Σₖ (ŷ - y)² is the cost that is differentiated, trained on and recorded (the assignment's "
    "MSE); learning curves and columns named train half_mse show it. mse = 1/(N K) Σₙ Σₖ (ŷ - y)² is what evaluation "
    "reports; everything named train, validation or test mse shows it. For K outputs half_mse = K · mse / 2. "
    "The typical test mse of a cell is 10 to the power of the interquartile mean (the mean of the middle half) of "
    "log₁₀ test mse over its networks; in brackets, the 95 % BCa bootstrap interval of it. A diverged network counts "
    "as infinite everywhere and is never left out."
)


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
            _about(),
            _data(study),
            _networks(study),
            *(sweep_section(results) for results in study.sweeps),
            _gradient_check(study.checks),
            _chosen(study.chosen),
        ]


def results_page(study: Study) -> str:
    """The results as Markdown: a table of the sweeps, then every sweep with its own tables."""
    chosen = _chosen(study.chosen)
    texts = ["## Results", markdown_table(summary_table(study.sweeps)), DEFINITIONS]
    for results in study.sweeps:
        tables = [score_table(results)]
        if results.settings.init == "assignment-stream":
            tables.append(assignment_table(results))
        texts += [f"### {results.name}", *markdown([description(results), *findings(results), *tables])]
    texts += [f"### {chosen.title}", *markdown(chosen.blocks)]
    return "\n\n".join(texts) + "\n"


def _about() -> Section:
    text = (
        "Every network of this study was trained, evaluated and drawn by one command, `dvc repro`, from the settings "
        "in `params.yaml`; here is what came out, sweep by sweep. Networks are fitted on the training split, chosen on "
        "the validation split and reported on the test split."
    )
    return Section("About this report", [text, DEFINITIONS])


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
    return Section("Data", [Table("", ["", ""], rows)])


def _networks(study: Study) -> Section:
    """The assignment's example network, and every architecture that a sweep describes itself."""
    text = "Colours are activations: blue relu, orange tanh, pink sigmoid, white linear."
    caption = "The assignment's example: one input, hidden layers of 5 and 3 units, one linear output unit."
    blocks: list[Block] = [text, Plot("example_network", caption, drawing(EXAMPLE, 1))]
    for results in study.sweeps:
        if results.settings.architecture:
            for _, cell in results.cells.drop_duplicates("series").iterrows():
                figure = drawing(Architecture.parse(cell["architecture"]), study.dataset.n_features)
                caption = f"{cell['series']} of sweep {results.name}: {cell['architecture']}"
                blocks.append(Plot(f"{results.name}/network_{cell['series']}", caption, figure))
    return Section("Networks", blocks)


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
    folded = Folded(Table("Of each architecture the tensor that agrees worst", names, details))
    return Section("Gradient check", [text, Table("", header, rows), folded])


def _chosen(chosen: dict[str, Any]) -> Section:
    """The network that predicts the test split, and its error there."""
    text = f"Cell {chosen['cell']} of sweep {chosen['sweep']}, replicate {chosen['replicate']}: {chosen['why']}."
    row = [chosen["network_id"], number(chosen["validation_mse"]), number(chosen["test_mse"])]
    table = Table("The chosen network", ["network", "validation mse", "test mse"], [row])
    return Section("Test set", [text, table])
