"""Several splits of the same rows, and which networks are of which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import pandas as pd

from shoal.pipeline.store import FOLD, HELD_OUT, N_FOLDS


@dataclass(frozen=True)
class SeveralSplits:
    """J = `n` splits, each with so many rows `held_out` over those trained on; replicate r is of split r modulo n."""

    n: int
    held_out: float

    @classmethod
    def of(cls, table: pd.DataFrame) -> Self | None:
        """Those of a table of networks or cells; None where the rows are split once."""
        if HELD_OUT not in table:
            return None
        n = int(table[N_FOLDS].iloc[0]) if N_FOLDS in table else table[FOLD].nunique()
        return cls(n, float(table[HELD_OUT].mean()))
