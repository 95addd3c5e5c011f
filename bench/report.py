"""docs/benchmarks.md from what was measured."""

from __future__ import annotations

from typing import Any

from bench import fcnet_report
from bench.markdown import table

FLOORS = {
    "float32": {"W1 relu": 60, "W1 linear": 60, "W1 tanh": 50, "W2": 55, "W3": 55, "W4 batch 10": 40, "W4 batch 1": 20,
                "W5": 75, "W6": 40},
    "float64": {"W1 relu": 65, "W1 linear": 65, "W1 tanh": 50, "W2": 55, "W3": 55, "W4 batch 10": 40, "W4 batch 1": 20,
                "W5": 70},
}  # fmt: skip
"""Shares of the multiply-add peak, in per cent, that the engine is to reach."""
INTRODUCTION = """# Benchmarks

Written by `make bench`; nothing here is typed in. Every peer runs in processes of its own on the same two cores, all of
a workload by turns in one session; a run is the median of its turns, in the best of the configurations tried (processes
x threads). `compile` is what the first run took beyond that, with nothing compiled before. Flops are counted as
2 N sum(fan_in fan_out) for the forward pass, as much for the gradients of the weights, as much without the first layer
for those of the activations; activations count nothing. `off` is the largest relative difference of a network's final
cost from shoal's. `networks` tells where a peer trained fewer than all, because all would take it minutes; its rate is
that of those. `ratio` is shoal's rate over the peer's.
"""


LEAST: dict[str, float | None] = {"W7": 2.0, "W8": 2.0, "W9": None}
"""What the rate is to be of the fastest peer's, where there is no floor in shares of the peak."""
BATCHES = """
W7: 100 networks 20-64-64-1 by mini-batches of 32 and Adam, ten rates and ten seeds, 3,525 samples, 20 epochs. W8: 64
networks 64-32-10 on scikit-learn's digits by softmax and cross-entropy, mini-batches of 32 and Adam, eight rates and
eight seeds, 30 epochs; its cost stands where others have half_mse. What takes its time in float32 beside the matrix
products is Adam, whose parameters and moments go through the second-level cache at every step, exponentials, and 64
features of each sample put into the lanes. The peers in NumPy and in Numba have no Adam in mini-batches and no batch
smaller than the others, so they are not there. W9: a network 2-32-32-1 of sines for each of 1,797 digits, on its 64
pixels, 500 full-batch steps of Adam; its only peer is JAX, whose vmap takes targets network by network.
"""


def render(results: dict[str, Any]) -> str:
    """The whole page, of the sections that there are."""
    parts = [INTRODUCTION, _machine(results["machine"], results["peak"])]
    if "workloads" in results:
        parts += [_floors(results), _many_seeds(results["workloads"]), _in_batches(results["workloads"])]
        parts += [_workloads(results)]
    for name, section in (
        ("fcnet", fcnet_report.section),
        ("startup", _startup),
        ("scale", _scale),
        ("study", _study),
        ("ladder", _ladder),
    ):
        if name in results:
            parts.append(section(results[name]))
    return "\n".join(part for part in parts if part)


def _machine(machine: dict[str, str], peak: dict[str, dict[str, float]]) -> str:
    facts = table(["machine", ""], [[key, value] for key, value in machine.items()])
    keys = ("one core", "two cores", "OpenBLAS")
    rows = [[dtype, *[f"{rates[key]:.0f}" for key in keys]] for dtype, rates in peak.items()]
    head = ["GFLOP/s", "multiply-adds, one core", "two cores", "a 2048 x 2048 product by OpenBLAS, two cores"]
    return (
        facts
        + "\nShares refer to the rate of a loop of multiply-adds on two cores, measured in the session of the row;\n"
        "the table has that of the last session.\n\n" + table(head, rows)
    )


def _share(record: dict[str, Any]) -> float:
    return float(100 * record["gflops"] / record["peak"])


def _floors(results: dict[str, Any]) -> str:
    rows = []
    for dtype, floors in FLOORS.items():
        for name, floor in floors.items():
            records = results["workloads"].get(f"{name} {dtype}")
            if records:
                own, others = records[0], records[1:]
                share = _share(own)
                peer = f"{own['gflops'] / others[0]['gflops']:.2f} x {others[0]['title']}" if others else "-"
                reached = "yes" if share >= floor else "no"
                rows.append([f"{name}, {dtype}", f"{own['gflops']:.0f}", f"{share:.1f} %", f"{floor} %", reached, peer])
    head = ["workload", "GFLOP/s", "share of peak", "floor", "reached", "ratio to the fastest peer"]
    return "## shoal against its floors\n\n" + table(head, rows)


def _many_seeds(workloads: dict[str, Any]) -> str:
    rows = []
    for dtype in FLOORS:
        records = {record["peer"]: record for record in workloads.get(f"W3 {dtype}", [])}
        own, jax = records.get("shoal_engine"), records.get("jax_scan")
        if own and jax:
            counted = (jax["run"] + jax["compile"]) / (own["run"] + own["compile"])
            rows.append([dtype, f"{jax['run'] / own['run']:.2f}", f"{counted:.2f}"])
    head = ["W3 against JAX", "run time, ratio", "with both sides' compilation, ratio"]
    return table(head, rows) if rows else ""


def _in_batches(workloads: dict[str, Any]) -> str:
    rows = []
    for key, least in ((f"{name} {dtype}", least) for dtype in FLOORS for name, least in LEAST.items()):
        if records := workloads.get(key):
            own, best = records[0], records[1]
            ratio = own["gflops"] / best["gflops"]
            wanted = [f"{least} x", "yes" if ratio >= least else "no"] if least else ["-", "-"]
            rows.append(
                [key, f"{own['gflops']:.0f}", f"{_share(own):.1f} %", f"{ratio:.2f} x {best['title']}", *wanted]
            )
    head = ["workload", "GFLOP/s", "share of peak", "ratio to the fastest peer", "wanted", "reached"]
    return (
        "## Mini-batches of Adam, classes, and targets of one's own\n\n" + table(head, rows) + BATCHES if rows else ""
    )


def _workloads(results: dict[str, Any]) -> str:
    parts = ["## Every workload, every peer\n"]
    head = ["peer", "processes x threads", "networks", "compile s", "run s", "GFLOP/s", "share of peak", "half_mse"]
    head += ["off", "ratio"]
    for key, records in results["workloads"].items():
        name, _, dtype = key.rpartition(" ")
        rows = [
            [record["title"], f"{record['processes']} x {record['threads']}", str(record["networks"]),
             f"{record['compile']:.1f}", f"{record['run']:.3g}", f"{record['gflops']:.3g}",
             f"{_share(record):.1f} %", f"{record['half_mse']:.4g}", f"{record['off']:.0e}",
             f"{records[0]['gflops'] / record['gflops']:.2f}"]
            for record in records
        ]  # fmt: skip
        parts.append(f"### {name}, {dtype}\n\n" + table(head, rows))
    keys = [f"{name} {dtype}" for dtype, floors in FLOORS.items() for name in (*floors, *LEAST)]
    missing = [key for key in keys if key not in results["workloads"]]
    if missing:
        parts.append(f"Not measured yet: {', '.join(missing)}.\n")
    absent = results.get("absent")
    if absent:
        parts.append(f"Absent, as not installed: {', '.join(absent)}.\n")
    return "\n".join(parts)


def _startup(startup: dict[str, float]) -> str:
    rows = [
        ["first step of every workload in both dtypes, nothing compiled before", f"{startup['cold']:.1f}"],
        ["the same in the next process", f"{startup['warm']:.2f}"],
        ["a process that trains one small network, start to end", f"{startup['second']:.2f}"],
    ]
    return "## Start-up\n\n" + table(["", "seconds"], rows)


def _scale(scale: dict[str, Any]) -> str:
    memory = scale["memory"]
    rows = [
        ["100,000 networks of 1 x 5, 100 steps: memory added to the process", f"{memory['needed']:.0f} MB"],
        ["of which their parameters and curves", f"{memory['results']:.0f} MB"],
        *[[f"W3, {dtype}: threads' time after the last network was begun", f"{100 * share:.2f} %"]
          for dtype, share in scale["idle"].items()],
    ]  # fmt: skip
    return "## Many networks\n\n" + table(["", ""], rows)


def _study(study: list[tuple[str, float]]) -> str:
    rows = [[name, f"{seconds:.1f}"] for name, seconds in study]
    return "## The whole study: `dvc repro`, kernels compiled before\n\n" + table(["stage", "seconds"], rows)


def _ladder(ladder: dict[str, list[Any]]) -> str:
    parts = ["## The ladder: what each step gained, one core\n"]
    for title, steps in ladder.items():
        rows, before = [], None
        for name, rates in steps:
            gains = ["-" if before is None else f"{rates[dtype] / before[dtype]:.2f}" for dtype in rates]
            pairs = [(f"{rate:.1f}", gain) for rate, gain in zip(rates.values(), gains, strict=True)]
            rows.append([name, *[cell for pair in pairs for cell in pair]])
            before = rates
        parts.append(table([title, "float32 GFLOP/s", "gain", "float64 GFLOP/s", "gain"], rows))
    return "\n".join(parts)
