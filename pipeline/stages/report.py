"""Stage `report`: result tables -> report/report.pdf and .html, their figures as files, docs/results.md and .png."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shoal.pipeline import config, data, report, store
from shoal.pipeline.classes import Classes
from shoal.pipeline.config import Config, ReportConfig
from shoal.pipeline.data import Dataset
from shoal.pipeline.figures.letters import printable
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.report.document.album import drawn
from shoal.pipeline.report.document.blocks import Plot
from shoal.pipeline.report.document.html import html
from shoal.pipeline.report.document.pdf import pdf
from shoal.pipeline.report.plots import heat_plot
from shoal.pipeline.report.results import load as load_sweep
from shoal.pipeline.report.study import Study, origin
from shoal.pipeline.stages import _stage
from shoal.pipeline.store.entries import folder_of


@receipts.kept(made_from.report)
def run(paths: Paths) -> dict[str, Any]:
    """Write the report and the figures; returns counts for the log."""
    pages = (paths.docs / "results.md", paths.docs / "results.png")
    store.refuse_unwritable(paths.report, paths.report_pdf, paths.figures / "any", *pages)
    study = load(paths)
    plots = report.figures(study) + _heat_maps(study)
    drawings = [*(plot.drawing for plot in plots), report.picture(study)]
    with drawn(drawings, folder_of(paths)) as finished:
        sections, page = report.sections(study), report.results_page(study)
        *pictures, glance = finished()
    for plot, picture in zip(plots, pictures, strict=True):
        store.write_text(paths.figures / f"{plot.path}.svg", plot.drawing.svg)
        store.write_bytes(paths.figures / f"{plot.path}.png", picture)
    store.write_bytes(paths.docs / "results.png", glance)
    title = study.config.report.title
    store.write_text(paths.report, html(title, sections))
    store.write_bytes(paths.report_pdf, pdf(title, sections))
    store.write_text(paths.docs / "results.md", page)
    return {"sweeps": len(study.sweeps)}


def load(paths: Paths) -> Study:
    """Read everything that the report is made of."""
    settings, dataset = _settings(paths), _with_printable_names(data.load(paths))
    parts = settings.report.parts
    beside = store.read_table(paths.baselines) if settings.data.is_table else None
    blocks = settings.sweeps.items()
    sweeps = [load_sweep(paths, name, sweep, dataset, parts.get(name, ""), beside) for name, sweep in blocks]
    source = origin(paths, list(settings.sweeps))
    checks, chosen = store.read_table(paths.gradcheck), store.read_json(paths.chosen)
    return Study(settings, dataset, sweeps, checks, chosen, source)


def _settings(paths: Paths) -> Config:
    """params.yaml with the block for the report as the data stage found it, which DVC renews this stage for."""
    block = ReportConfig.model_validate(store.read_json(paths.study)["report"])
    return config.load(paths).model_copy(update={"report": block})


def _with_printable_names(dataset: Dataset) -> Dataset:
    """The dataset with names and levels of one line each: those of a CSV file may have line breaks."""
    columns = (
        replace(column, name=printable(column.name), levels=tuple(map(printable, column.levels)))
        for column in dataset.preparation.columns
    )
    preparation, labels = replace(dataset.preparation, columns=tuple(columns)), dataset.classes.labels
    classes = Classes(tuple(printable(label) if isinstance(label, str) else label for label in labels))
    targets = tuple(map(printable, dataset.target_names))
    return replace(dataset, preparation=preparation, target_names=targets, classes=classes)


def _heat_maps(study: Study) -> list[Plot]:
    """Files for MLflow, which has no such view of its own; the report's tables show the same."""
    if not study.dataset.is_tested:
        return []
    return [plot for results in study.sweeps if (plot := heat_plot(results))]


if __name__ == "__main__":
    _stage.main("report", run)
