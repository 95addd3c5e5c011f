"""What validation costs did to the networks of a sweep: which stopped early, and which parameters are kept."""

from __future__ import annotations

from shoal.pipeline.report.claims.divergence import when
from shoal.pipeline.report.claims.wording import counted
from shoal.pipeline.report.results import SweepResults
from shoal.pipeline.statistics.errors import cost_label


def stopping_sentences(results: SweepResults) -> list[str]:
    """How many networks stopped early, which parameters are kept, and what that means for the numbers; empty where no
    network that did not diverge is validated."""
    networks = results.networks
    if "best_step" not in networks or networks["best_step"].isna().all():
        return []
    sentences: list[str] = []
    best, n = networks["best_step"].dropna(), len(networks)
    if "stopped_step" in networks:
        stopped = networks["stopped_step"].dropna()
        verb = "was" if len(stopped) == 1 else "were"
        sentences.append(f"{len(stopped)} of {counted(n, 'network')} {verb} stopped early, {when(stopped)}.")
    whose = "" if len(best) == n else f" in {len(best)} of them"
    label = cost_label(results.cells)
    judged, rest = ("validation split", "the test split had none")
    if results.dataset.folds:
        judged, rest = "rows that a fold holds out", "the test rows had none"
    sentences.append(
        f"The parameters of the lowest validation cost are kept{whose}, found {when(best)}; {label} in tables is "
        f"theirs. So the {judged} had a say in training, and validation errors are a little too good; {rest}."
    )
    return sentences
