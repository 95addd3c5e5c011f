"""The mathematics that the kernels compute, in the assignment's order: derivations.md, as sections of the report."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from importlib import resources

from shoal.kernels.network.activations import ACTIVATIONS, NAMES, code_of
from shoal.kernels.network.architecture import Architecture, Sum, every_layer
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.pipeline.hyperparameters import CLASSES_LOSS
from shoal.pipeline.report.document.blocks import Block, Formula, Section, Table
from shoal.pipeline.report.results import SweepResults

TEXT = "derivations.md"
BRANCHES, NUMBERS = "branches", "numbers"


def derivations(sweeps: Sequence[SweepResults]) -> list[Section]:
    """Notation, then a section for each derivation that the networks of these sweeps need."""
    needed: set[str] = {results.settings.optimizer for results in sweeps}
    losses = {cost.loss for results in sweeps for cost in results.costs}
    needed |= losses if losses == {CLASSES_LOSS} else {*losses, NUMBERS}
    if any(_has_branches(results) for results in sweeps):
        needed.add(BRANCHES)
    _, *texts = source().split("\n## ")
    found = [_section(part, needed, _activations(sweeps)) for part in texts]
    return [section for section in found if section.blocks]


def source() -> str:
    """The file as it is."""
    return resources.files(__package__).joinpath(TEXT).read_text(encoding="utf-8")


def _has_branches(results: SweepResults) -> bool:
    """Whether a network of the sweep has branches that are summed."""
    networks = (Architecture.parse(text).layers for text in results.cells["architecture"])
    return any(isinstance(layer, Sum) for layers in networks for layer in every_layer(layers))


def _activations(sweeps: Sequence[SweepResults]) -> list[str]:
    """The activations of the sweeps' networks, in the order of their table."""
    texts = {text for results in sweeps for text in results.cells["architecture"]}
    used = {name for text in texts for name in Architecture.parse(text).activations}
    return [name for name in NAMES if name in used]


def _section(text: str, needed: Collection[str], used: Sequence[str]) -> Section:
    heading, *paragraphs = re.split(r"\n\n+", text.strip())
    title, *parts = reversed(heading.split(" · "))
    paragraphs = [part for paragraph in paragraphs for part in _with_formulas(paragraph, used)]
    blocks = [_block(paragraph) for paragraph in _needed(paragraphs, needed)]
    return Section(title, blocks, parts[0] if parts else "")


def _with_formulas(paragraph: str, used: Sequence[str]) -> list[str]:
    """The paragraph; or, in the place of the mark, a paragraph for each activation in use that it does not name."""
    mark = re.fullmatch(r"\[activations but (.*)\]", paragraph)
    if mark is None:
        return [paragraph]
    derived = re.findall(r"\w+", mark[1])
    return [ACTIVATIONS[code_of(name)].formula for name in used if name not in derived]


def _needed(paragraphs: Sequence[str], needed: Collection[str]) -> Iterator[str]:
    """The paragraphs without the marks, and without what is marked for other studies."""
    is_needed = True
    for paragraph in paragraphs:
        if mark := re.fullmatch(r"\[(?:always|only (\w+))\]", paragraph):
            is_needed = mark[1] is None or mark[1] in needed
        elif is_needed:
            yield paragraph


def _block(paragraph: str) -> Block:
    if paragraph.startswith("|"):
        header, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in paragraph.splitlines())
        return Table("", header, rows)
    line = " ".join(paragraph.split())
    if line[0] == line[-1] == "$":
        return Formula(line.strip("$ "))
    return re.sub(r"\{(\w+)\.(\w+)\}", lambda number: f"{OPTIMIZERS[number[1]].hypers[number[2]]:g}", line)
