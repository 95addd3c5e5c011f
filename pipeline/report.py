"""The report: one set of sections, from which the HTML page, the Markdown tables and the README's figure are made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import jinja2
import pandas as pd
from matplotlib.figure import Figure

from kernels.architecture import Architecture
from pipeline import axes
from pipeline.config import Config
from pipeline.dataset import Dataset
from pipeline.drawing import drawing
from pipeline.figures import style
from pipeline.figures.summary import Fits, summary
from pipeline.figures.scores import replicates
from pipeline.report_sections import Plot, Section, truth
from pipeline.result_tables import Table, number, score_table
from pipeline.sweep_results import SweepResults

EXAMPLE = Architecture.plain((5, 3), "relu", 1)
"""The network that the assignment asks to be drawn: one input, hidden layers of 5 and 3, one linear output."""

DEFINITIONS = (
    "half_mse = (1/N) Σₙ ½ Σₖ (y_hat − y)² is the cost that is differentiated, trained on and recorded (the "
    "assignment's “MSE”): learning curves and columns called train half_mse show it. mse = 1/(N K) Σₙ Σₖ (y_hat − y)² "
    "is what evaluation reports: everything called train, validation or test mse shows it. So half_mse = K · mse / 2 "
    "for K outputs."
)


def data_section(dataset: Dataset, config: Config) -> Section:
    """Which data were learnt from."""
    sizes = [len(split.x) for split in (dataset.train, dataset.validation, dataset.test)]
    source = "y = sin(x) on [−π, π]" if config.data.source == "function" else f"the table {config.data.path}"
    rows = [
        ["source", source],
        ["features", ", ".join(dataset.feature_names)],
        ["targets", ", ".join(dataset.target_names)],
        ["samples", "{} to train on, {} to validate, {} to test".format(*sizes)],
        ["hash of the training data", dataset.data_hash[:16]],
        ["arithmetic", config.dtype],
    ]
    return Section("Data", tables=[Table("", ["", ""], rows)])


def drawing_section(sweeps: Sequence[SweepResults], n_features: int) -> Section:
    """The assignment's example network, and every architecture that a sweep describes itself."""
    section = Section("Networks", ["Blue units are relu, orange tanh, pink sigmoid, white linear; + marks a sum."])
    caption = "The assignment's example: one input, hidden layers of 5 and 3 units, one linear output unit."
    section.plots.append(Plot("example_network", caption, drawing(EXAMPLE, 1)))
    for results in sweeps:
        if results.settings.architecture:
            section.plots += [
                Plot(f"{results.name}/network_{name}", f"{name} of sweep {results.name}: {text}", drawing(Architecture.parse(text), n_features))
                for name, text in results.cells.drop_duplicates("series")[["series", "architecture"]].itertuples(index=False)
            ]
    return section


def gradient_check_section(checks: pd.DataFrame) -> Section:
    """The gradient check: per activation or architecture and tensor, the largest disagreement."""
    text = (
        "Every architecture in use, freshly drawn, on 20 training samples: gradients of half_mse by the backward pass "
        "against central differences, at a fixed random set of coordinates of each tensor (x is the input). "
        "The table shows the tensor that agrees worst in each architecture."
    )
    worst = checks.loc[checks.groupby("architecture", sort=False)["relative_error"].idxmax()]
    rows = [
        [
            row["architecture"],
            row["tensor"],
            str(row["n_coordinates"]),
            number(row["max_gradient"]),
            number(row["max_difference"]),
            number(row["relative_error"]),
        ]
        for _, row in worst.iterrows()
    ]
    header = ["architecture", "tensor", "coordinates", "largest gradient", "largest difference", "relative"]
    return Section("Gradient check", [text], folded=[Table(f"{len(rows)} architectures", header, rows)])


def chosen_section(chosen: dict[str, Any]) -> Section:
    """The network that predicts the test split, and its error there."""
    text = f"Sweep {chosen['sweep']}, cell {chosen['cell']}, replicate {chosen['replicate']}: {chosen['why']}."
    rows = [
        ["network", chosen["network_id"]],
        ["validation mse", number(chosen["validation_mse"])],
        ["test mse", number(chosen["test_mse"])],
    ]
    return Section("Test-set evaluation: the chosen network", [text], [Table("", ["", ""], rows)])


def html(sections: Sequence[Section]) -> str:
    """The page: self-contained, without scripts, nothing fetched from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline", "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters["inline"] = inline
    return environment.get_template("report.html").render(sections=sections, definitions=DEFINITIONS)


def inline(svg: str, prefix: str) -> str:
    """SVG text as an element of an HTML page: no prologue or name spaces, ids made unique by `prefix`."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' xmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    return re.sub(r"url\(#", f"url(#{prefix}-", body)
