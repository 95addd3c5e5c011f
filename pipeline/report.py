"""The report: one set of sections, from which the HTML page and the Markdown tables are made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import pandas as pd

from kernels.architecture import Architecture
from pipeline.config import Config
from pipeline.data.dataset import Dataset
from pipeline.drawing import drawing
from pipeline.figures import style
from pipeline.report_sections import Plot, Section, assignment_table, description, sweep_section
from pipeline.result_tables import Table, number, score_table
from pipeline.sweep_results import SweepResults

EXAMPLE = Architecture.plain((5, 3), "relu", 1)
"""The network that the assignment asks to be drawn: one input, hidden layers of 5 and 3, one linear output."""

DEFINITIONS = (
    "half_mse = (1/N) Σₙ ½ Σₖ (ŷ − y)² is the cost that is differentiated, trained on and recorded (the assignment's "
    "MSE); learning curves and columns named train half_mse show it. mse = 1/(N K) Σₙ Σₖ (ŷ − y)² is what evaluation "
    "reports; everything named train, validation or test mse shows it. For K outputs half_mse = K · mse / 2."
)


@dataclass(frozen=True)
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


def html(parts: Sequence[Section]) -> str:
    """The page: self-contained, without scripts, nothing fetched from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["inline"] = _inline
    return environment.get_template("report.html").render(sections=parts, definitions=DEFINITIONS)


def markdown(study: Study) -> str:
    """The results of every sweep as Markdown, a table each."""
    blocks = ["# Results", "The report stage writes this file.", DEFINITIONS]
    for results in study.sweeps:
        table = score_table(results)
        blocks += [f"## {results.name}", description(results), f"{table.caption.capitalize()}:", _markdown_table(table)]
        if results.settings.init == "assignment-stream":
            assignment = assignment_table(results)
            blocks += [f"{assignment.caption.capitalize()}:", _markdown_table(assignment)]
    chosen = _chosen(study.chosen)
    blocks += [f"## {chosen.title}", *chosen.paragraphs, *map(_markdown_table, chosen.tables)]
    return "\n\n".join(blocks) + "\n"


def _data(study: Study) -> Section:
    config, dataset = study.config, study.dataset
    sizes = [len(split.x) for split in (dataset.train, dataset.validation, dataset.test)]
    source = "y = sin(x) on [−π, π]" if config.data.source == "function" else f"the table {config.data.path}"
    rows = [
        ["source", source],
        ["features", ", ".join(dataset.feature_names)],
        ["targets", ", ".join(dataset.target_names)],
        ["samples", "{} to train on, {} to validate, {} to test".format(*sizes)],
        ["training data, SHA-256", dataset.data_hash[:16]],
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
    """Per kind of network a row; folded, the tensor that agrees worst in each architecture."""
    text = (
        "Every architecture in use, freshly drawn, on some training samples: gradients of half_mse by the backward "
        "pass against central differences, at a fixed random set of coordinates of each tensor; x is the input."
    )
    kinds = checks.groupby(checks["activation"].astype(object).fillna("own architecture"), sort=False)
    rows = [
        [
            str(kind),
            str(part["architecture"].nunique()),
            str(part["n_coordinates"].sum()),
            number(part["max_difference"].max()),
            number(part["relative_error"].max()),
        ]
        for kind, part in kinds
    ]
    header = ["activation", "architectures", "coordinates", "largest difference", "largest relative error"]
    worst = checks.loc[checks.groupby("architecture", sort=False)["relative_error"].idxmax()]
    columns = ["architecture", "tensor", "n_coordinates", "max_gradient", "max_difference", "relative_error"]
    details = [
        [value if isinstance(value, str) else number(value) for value in row]
        for row in worst[columns].astype({"n_coordinates": str}).itertuples(index=False)
    ]
    names = ["architecture", "tensor", "coordinates", "largest gradient", "largest difference", "relative error"]
    folded = Table("of each architecture the tensor that agrees worst", names, details)
    return Section("Gradient check", [text], [Table("", header, rows)], folded=[folded])


def _chosen(chosen: dict[str, Any]) -> Section:
    """The network that predicts the test split, and its error there."""
    text = f"Cell {chosen['cell']} of sweep {chosen['sweep']}, replicate {chosen['replicate']}: {chosen['why']}."
    header = ["network", "validation mse", "test mse"]
    rows = [[chosen["network_id"], number(chosen["validation_mse"]), number(chosen["test_mse"])]]
    return Section("The chosen network on the test set", [text], [Table("", header, rows)])


def _markdown_table(table: Table) -> str:
    rows = [table.header, ["---"] * table.n_heads + ["---:"] * (len(table.header) - table.n_heads), *table.rows]
    return "\n".join(
        "| " + " | ".join(text.replace("\n", " ").replace("|", "\\|") for text in row) + " |" for row in rows
    )


def _inline(svg: str, prefix: str) -> str:
    """SVG text as an element of an HTML page: no prologue or name spaces, ids made unique by `prefix`."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    return re.sub(r"url\(#", f"url(#{prefix}-", body)
