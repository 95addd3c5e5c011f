"""The report where test rows have no targets: what was trained and chosen, without a word of errors on them."""

from __future__ import annotations

from shoal.pipeline.baselines import BASELINES, overall
from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.report.assignment.setting import data_section, example_network
from shoal.pipeline.report.document.blocks import Block, Plot, Section, Table
from shoal.pipeline.report.document.markdown import markdown
from shoal.pipeline.report.evidence import gradient_check
from shoal.pipeline.report.plots import curve_plot
from shoal.pipeline.report.reproduction import reproduction
from shoal.pipeline.report.result_tables import entry, number
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.report.sections import description
from shoal.pipeline.report.study import Study
from shoal.pipeline.report.summary import about, chosen_sentence, extent
from shoal.pipeline.statistics.errors import UNTESTED, cost_label


def sections(study: Study) -> list[Section]:
    """The whole report, in its order."""
    return [
        Section("Summary", _summary(study)),
        example_network(study),
        data_section(study),
        *(Section(f"Sweep {results.name}", [*_of_sweep(results), *_curves(results)]) for results in study.sweeps),
        gradient_check(study),
        reproduction(study.origin, study.config, study.dataset, study.sweeps),
    ]


def figures(study: Study) -> list[Plot]:
    """The figures of all sections, in their order: the same objects."""
    return [*example_network(study).plots, *(plot for results in study.sweeps for plot in _curves(results))]


def results_page(study: Study) -> str:
    """The results as Markdown."""
    texts = ["## Results", *markdown(_summary(study))]
    for results in study.sweeps:
        texts += [f"### {results.name}", *markdown(_of_sweep(results))]
    return "\n\n".join(texts) + "\n"


def at_a_glance(study: Study) -> Drawing:
    """Learning curves of the first sweep that has any, or else its first network."""
    plots = [curve_plot(results) for results in study.sweeps if len(results.curves)]
    return next(iter(plots or example_network(study).plots)).drawing


def _summary(study: Study) -> list[Block]:
    return [*about(study), f"{extent(study)} {UNTESTED}", chosen_sentence(study), *_baselines(study)]


def _baselines(study: Study) -> list[Block]:
    if study.baselines is None:
        return []
    name, label = study.error.of("validation"), study.error.label("validation")
    rows = [
        [f"{row['baseline']}: {BASELINES[row['baseline']].definition}", number(row[name])]
        for _, row in overall(study.baselines).iterrows()
    ]
    return [Table("The baselines", ["baseline", label], rows)]


def _of_sweep(results: SweepResults) -> list[Block]:
    columns = {results.error.of(split): results.error.label(split) for split in ("validation", "train")}
    columns["train_cost"] = cost_label(results.cells)
    rows = [
        [row["cell"], str(row["n_networks"]), *(entry(row, name) for name in columns)]
        for _, row in results.cells.iterrows()
    ]
    caption = "Every cell: median [quartiles] over its networks"
    return [description(results), Table(caption, ["cell", "networks", *columns.values()], rows)]


def _curves(results: SweepResults) -> list[Plot]:
    return [curve_plot(results)] if len(results.curves) else []
