"""Whether results belong to params.yaml and the data as they are now, and to each other.

Results without a receipt, from an earlier version, pass for it: `dvc repro` makes them anew anyway.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from shoal.pipeline import store
from shoal.pipeline.errors import DamagedFileError, ShoalError
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import made_from, receipts
from shoal.pipeline.provenance.made_from import MadeFrom


def outdated(paths: Paths, sweeps: Sequence[str]) -> list[str]:
    """What has changed since the results of these sweeps were made: paths of keys of params.yaml, and of files."""
    of_data = _changes(paths, made_from.data(paths), "report", *made_from.SERVED)  # which make no other results
    own = [of_data, *(_changes(paths, made_from.sweep(paths, name)) for name in sweeps)]
    return _named([*(name for names in own for name in names), *_not_evaluated(paths, sweeps)])


def shown_outdated(paths: Paths, sweeps: Sequence[str]) -> list[str]:
    """The same, and what has changed of what answers, where that is shown beside the results."""
    answers = [name for name in _changes(paths, made_from.predictions(paths)) if name.startswith(made_from.SERVED)]
    return [*outdated(paths, sweeps), *answers]


def network_outdated(paths: Paths, sweeps: Sequence[str], network_id: str | None) -> list[str]:
    """The same for one network of these sweeps, or for the one chosen among all: which sweeps there are matters too."""
    if network_id is not None:
        return outdated(paths, [store.sweep_of(paths, sweeps, network_id)])
    return _named([*outdated(paths, sweeps), *_changes(paths, made_from.predictions(paths))])


def tell(changed: Sequence[str]) -> None:
    """Print one line on what has changed since the results were made, where anything has."""
    if changed:
        line = f"not up to date: {', '.join(changed)} changed after these results; `dvc repro` renews them"
        print(line, file=sys.stderr)


class MixedError(ShoalError):
    """Results, evaluation, choice and report that do not belong together."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(f"{', '.join(names)}: found changes after the evaluation or the report; run `dvc repro`")


def refuse_mixture(paths: Paths) -> None:
    """Raise MixedError where evaluation, choice or report were made from other files than lie there now."""
    stages = [stage(paths) for stage in (made_from.evaluation, made_from.predictions, made_from.report)]
    if names := _named(name for now in stages for name in _changed_files(paths, now)):
        raise MixedError(names)


def _changes(paths: Paths, now: MadeFrom, *but: str) -> list[str]:
    """What the receipt of this place does not know as it is now, `but` for some keys of params.yaml.

    A receipt that is damaged is a change itself.
    """
    try:
        receipt = receipts.read(paths, now.place)
    except DamagedFileError:
        return [now.place]
    return receipt.made_from.without(*but).changes(now.without(*but)) if receipt else []


def _changed_files(paths: Paths, now: MadeFrom) -> list[str]:
    return [name for name in _changes(paths, now) if name in (now.place, *now.inputs)]


def _not_evaluated(paths: Paths, sweeps: Sequence[str]) -> list[str]:
    """Results and data that are not those which the evaluation read."""
    others = {paths.below_root(paths.sweep_receipt(name)) for name in made_from.sweeps(paths) if name not in sweeps}
    return [name for name in _changed_files(paths, made_from.evaluation(paths)) if name not in others]


def _named(names: Iterable[str]) -> list[str]:
    """Each once; a sweep's receipt stands for the folder of its results."""
    return list(dict.fromkeys(name.removesuffix("/receipt.json") for name in names))
