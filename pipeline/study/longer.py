"""Networks of which the store has a shorter run, and which go on where that ended: of 500 steps and 600, only 100."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from shoal.kernels.ensemble import Replicates
from shoal.kernels.longer import begun_by, can_go_on
from shoal.kernels.training.begun import Begun
from shoal.pipeline.store.entries import Store

Identify = Callable[[Replicates], np.ndarray]


class ShorterRuns:
    """What the store has of networks to train, with fewer steps: wanted[i] is named by names[i], and has the bits of
    engines[i]."""

    def __init__(
        self, kept: Store, wanted: Sequence[Replicates], names: Sequence[Identify], engines: Sequence[str]
    ) -> None:
        self._kept, self._names, self._engines = kept, names, engines
        self._there: dict[int, list[Replicates]] = {}
        lengths = kept.lengths()
        asked = [
            (i, Replicates(replace(spec, steps=steps), numbers))
            for i, (spec, numbers) in enumerate(wanted)
            if len(numbers) and can_go_on(spec)
            for steps in lengths
            if steps < (spec.steps or 0)
        ]
        masks = kept.has([(engines[i], names[i](own)) for i, own in asked]) if asked else []
        for (i, own), is_there in zip(asked, masks, strict=True):
            if is_there.any():
                self._there.setdefault(i, []).append(Replicates(own.spec, own.numbers[is_there]))

    def begun(self, i: int, steps: tuple[int, ...], numbers: np.ndarray) -> list[tuple[np.ndarray, Begun]]:
        """Those replicates of wanted[i] that go on, from the longest there is below all of these steps."""
        found = list[tuple[np.ndarray, Begun]]()
        for spec, there in self._there.get(i, []):
            own = np.intersect1d(numbers, there)
            if not len(own) or (spec.steps or 0) >= steps[0]:
                continue
            [(is_there, results)] = self._kept.get([(self._engines[i], self._names[i](Replicates(spec, own)))])
            if results is None:
                continue
            goes_on, begun = begun_by(results, steps)
            if len(own := own[is_there][goes_on]):
                found.append((own, begun))
                numbers = np.setdiff1d(numbers, own)
        return found
