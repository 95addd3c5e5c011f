"""The report: one set of sections, from which the HTML page, the PDF and the Markdown tables are made."""

from __future__ import annotations

from dataclasses import replace

from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.report import glance, untested
from shoal.pipeline.report.assignment.author import assignment_tables
from shoal.pipeline.report.assignment.derivations import derivations
from shoal.pipeline.report.assignment.setting import data_section, example_network
from shoal.pipeline.report.claims.against_training import against_training
from shoal.pipeline.report.claims.effects import effect_blocks
from shoal.pipeline.report.claims.limits.sentences import pieces_blocks
from shoal.pipeline.report.document.blocks import Block, Plot, Section
from shoal.pipeline.report.document.markdown import markdown, markdown_table
from shoal.pipeline.report.evidence import drawn, gradient_check, test_set
from shoal.pipeline.report.reproduction import reproduction
from shoal.pipeline.report.result_tables import score_table, summary_table
from shoal.pipeline.report.sections import description, sentences, sweep_plots, sweep_section
from shoal.pipeline.report.study import Study
from shoal.pipeline.report.summary import caveats, definitions, summary


def sections(study: Study) -> list[Section]:
    """The whole report, in its order."""
    if not study.dataset.is_tested:
        return untested.sections(study)
    first, last = summary(study), test_set(study)
    last = replace(last, blocks=[*last.blocks, *drawn(study)])
    sweeps = [sweep_section(results, study.sweeps) for results in study.sweeps]
    how = reproduction(study.origin, study.config, study.dataset, study.sweeps)
    network, of_data, checks = example_network(study), data_section(study), gradient_check(study)
    if study.is_assignment:
        return [first, network, *derivations(study.sweeps), of_data, *sweeps, checks, last, how]
    for number, results in enumerate(study.sweeps):
        effects = effect_blocks(results, study.config.seed)
        sweeps[number] = replace(sweeps[number], blocks=[*effects, *sweeps[number].blocks])
    return [first, last, of_data, *sweeps, network, checks, how]


def figures(study: Study) -> list[Plot]:
    """The figures of all sections, in their order: the same objects, had before anything is said of them."""
    if not study.dataset.is_tested:
        return untested.figures(study)
    of_sweeps = [plot for results in study.sweeps for plot in sweep_plots(results)]
    network, last = example_network(study).plots, drawn(study)
    return [*network, *of_sweeps, *last] if study.is_assignment else [*last, *of_sweeps, *network]


def picture(study: Study) -> Drawing:
    """The study in one figure."""
    return glance.at_a_glance(study.sweeps) if study.dataset.is_tested else untested.at_a_glance(study)


def results_page(study: Study) -> str:
    """The results as Markdown: a table of the sweeps, then every sweep with its own tables."""
    if not study.dataset.is_tested:
        return untested.results_page(study)
    last = test_set(study)
    texts = ["## Results", markdown_table(summary_table(study.sweeps)), definitions(study), *caveats(study)]
    for results in study.sweeps:
        blocks: list[Block] = [
            description(results),
            *sentences(results),
            *assignment_tables(results),
            score_table(results),
        ]
        blocks += [*pieces_blocks(results), *against_training(results, study.sweeps)]
        texts += [f"### {results.name}", *markdown(blocks)]
    texts += [f"### {last.title}", *markdown(last.blocks)]
    return "\n\n".join(texts) + "\n"
