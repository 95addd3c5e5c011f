"""Where networks that are wanted stand in the blocks of the store, and their results in the order asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from shoal.kernels.ensemble import Results
from shoal.kernels.results import joined
from shoal.pipeline.store.entries.index import Held


class FoundRows(NamedTuple):
    """Networks of a block that are wanted: their rows there, and their places in one of the lists of ids."""

    which: int
    of_block: np.ndarray
    of_wanted: np.ndarray


def places(blocks: Sequence[Held], wanted: Sequence[tuple[str, np.ndarray]]) -> list[tuple[Held, list[FoundRows]]]:
    """Where what is wanted is, block by block as they lie in their files; of several the one that came last."""
    rows: dict[int, list[FoundRows]] = {}
    for engine in {engine for engine, _ in wanted}:
        own = [(k, held.ids) for k, held in enumerate(blocks) if held.engine == engine]
        known = np.concatenate([np.zeros(0, "S16"), *(ids for _, ids in own)])
        numbers = np.repeat([k for k, _ in own], [len(ids) for _, ids in own])
        of_block = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(ids)) for _, ids in own)])
        order = np.argsort(known, kind="stable")
        for which, (its_engine, ids) in enumerate(wanted):
            if its_engine != engine or not len(known):
                continue
            at = order[np.maximum(np.searchsorted(known, ids, side="right", sorter=order) - 1, 0)]
            is_there = np.flatnonzero(known[at] == ids)
            by_block = is_there[np.argsort(numbers[at[is_there]], kind="stable")]
            found, starts = np.unique(numbers[at[by_block]], return_index=True)
            for k, of_wanted in zip(found.tolist(), np.split(by_block, starts)[1:], strict=True):
                rows.setdefault(k, []).append(FoundRows(which, of_block[at[of_wanted]], of_wanted))
    return [(blocks[k], rows[k]) for k in sorted(rows, key=lambda k: blocks[k].place)]


def ordered(n: int, parts: Sequence[tuple[np.ndarray, Results]]) -> tuple[np.ndarray, Results | None]:
    """Which of n networks the parts have, (n,), and their results in that order."""
    is_there = np.zeros(n, bool)
    if not parts:
        return is_there, None
    places = np.concatenate([own for own, _ in parts])
    is_there[places] = True
    results, order = joined([own for _, own in parts]), np.argsort(places)
    return is_there, results if (np.diff(places) > 0).all() else results.taken(order)
