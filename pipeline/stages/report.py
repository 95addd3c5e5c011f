"""Stage `report`: result tables -> report/report.html, its figures as files, docs/results.md and docs/results.png."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from pipeline import config, data, progress, report, store
from pipeline.figures import style
from pipeline.paths import Paths
from pipeline.report.html import html
from pipeline.report.overview import overview
from pipeline.report.plots import Plot, heat_plot
from pipeline.report.results import load as load_sweep
from pipeline.stages import _stage


def run(paths: Paths) -> dict[str, Any]:
    """Write the report and the figures; returns counts for the log."""
    study = load(paths)
    sections = report.sections(study)
    shutil.rmtree(paths.figures, ignore_errors=True)
    plots = [plot for section in sections for plot in section.plots] + _heat_maps(study)
    with progress.bar("report: figures") as advance:
        for done, plot in enumerate(plots, 1):
            store.write_text(paths.figures / f"{plot.path}.svg", plot.svg)
            _write_bytes(paths.figures / f"{plot.path}.png", plot.png)
            advance(done, len(plots))
    store.write_text(paths.report, html(sections))
    store.write_text(paths.docs / "results.md", report.results_page(study))
    _write_bytes(paths.docs / "results.png", style.png(overview(study.sweeps)))
    return {"sweeps": len(study.sweeps)}


def load(paths: Paths) -> report.Study:
    """Read everything that the report is made of."""
    settings, dataset = config.load(paths), data.load(paths)
    sweeps = [load_sweep(paths, name, sweep, dataset) for name, sweep in settings.sweeps.items()]
    return report.Study(settings, dataset, sweeps, store.read_table(paths.gradcheck), store.read_json(paths.chosen))


def _heat_maps(study: report.Study) -> list[Plot]:
    """Files for MLflow, which has no such view of its own; the report's tables show the same."""
    with style.house_style():
        return [plot for results in study.sweeps if (plot := heat_plot(results))]


def _write_bytes(path: Path, content: bytes) -> None:
    store.write_whole(path, lambda temporary: temporary.write_bytes(content))


if __name__ == "__main__":
    _stage.main("report", run)
