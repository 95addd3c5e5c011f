"""The time left: foretold by the work that is done, on a recorded pace and a clock of the tests' own."""

from __future__ import annotations

import heapq
from concurrent.futures import wait
from typing import Any

import numpy as np
import pytest

from shoal.kernels.ensemble import train
from shoal.kernels.network.tape import N_FIELDS, layout_of
from shoal.kernels.training import run
from shoal.kernels.training.team import BEGUN, FINISHED
from shoal.pipeline.config import Sweep
from shoal.pipeline.progress import Forecast
from shoal.pipeline.study.grid import cells
from tests.fleet import spec

MILLISECONDS = {
    "sizes": {
        "relu": (3.84, 6.54, 13, 25.5, 7.32, 13.5, 41.8, 126, 7.94, 17, 67.8, 231),
        "tanh": (5.36, 9.82, 22.6, 43.1, 10.1, 20.9, 59.4, 189, 14.8, 34.8, 118, 363),
    },
    "ridge": {
        "relu": (0.103, 0.113, 0.2, 0.432, 0.0857, 0.117, 0.252, 0.647, 0.0725, 0.127, 0.319, 0.923),
        "linear": (0.0525, 0.101, 0.202, 0.431, 0.0719, 0.107, 0.396, 0.758, 0.0793, 0.13, 0.337, 0.896),
        "tanh": (0.0772, 0.116, 0.266, 0.577, 0.129, 0.26, 0.466, 0.927, 0.118, 0.212, 0.513, 1.25),
    },
    "batch": {
        "relu": (75.5, 166, 122, 868),
        "tanh": (128, 197, 131, 1120),
    },
}
"""What a job of each cell took alone on one thread, in the order of the block; 8 networks of small batches are one."""

SHAPES = {"depth": [1, 2, 3], "width": [5, 10, 25, 50], "replicates": 20}
BLOCKS: dict[str, dict[str, Any]] = {
    "sizes": SHAPES | {"activation": ["relu", "tanh"], "learning_rate": 0.02, "steps": 500},
    "ridge": SHAPES | {"activation": ["relu", "linear", "tanh"], "optimizer": "ridge", "alpha": 0.1},
    "batch": {"activation": ["relu", "tanh"], "depth": 2, "width": 50, "learning_rate": 0.02, "steps": 3000}
    | {"batch_size": [1, 10, 100, "full"], "replicates": 10},
}
SAMPLES, THREADS, POLL = 1000, 2, 0.01


class Clock:
    now = 100.0  # kernels have been compiled until then

    def __call__(self) -> float:
        return self.now


def rehearse(calls: list[run.Call], seconds: dict[tuple[Any, ...], float], clock: Clock, progress: Any) -> None:
    """Let the threads take the jobs of the calls from their queues as they do, and write costs as time goes by."""
    free = [clock.now] * THREADS
    spans = []
    for call in calls:
        for i, job in enumerate(call.fleet.jobs):
            start = heapq.heappop(free)
            first = job["ops"] // N_FIELDS
            end = start + seconds[key(call.fleet.tapes[first : first + job["n_ops"]], job["batch_size"])]
            heapq.heappush(free, end)
            spans.append((call, i, start, end))
    while clock.now < max(free):
        for call in calls:
            call.control[BEGUN] = call.control[FINISHED] = 0
        for call, i, start, end in spans:
            call.control[BEGUN] += clock.now >= start
            call.control[FINISHED] += clock.now >= end
            if clock.now >= start:
                write_costs(call, call.fleet.jobs[i], min(1.0, (clock.now - start) / (end - start)))
        run._tell(progress, calls, sum(call.n_networks for call in calls))
        clock.now += POLL * (max(free) - 100.0)


def key(ops: np.ndarray, batch_size: int) -> tuple[Any, ...]:
    """What a cell is known by: a tape without the addresses in it, and the batch size."""
    return tuple(ops[["kind", "source", "fan_in", "fan_out", "code"]].tolist()), int(batch_size)


def write_costs(call: run.Call, job: Any, share: float) -> None:
    """The costs of the steps that a job has made."""
    steps = call.fleet.steps[job["records"] : job["records"] + job["n_records"]]
    stride = len(call.fleet.stopped) // len(call.fleet.jobs)
    written = int((steps <= share * steps[-1]).sum())
    call.fleet.costs[job["costs"] : job["costs"] + written * stride] = 0.5


@pytest.mark.parametrize("name", BLOCKS)
def test_the_time_left_is_foretold_after_a_fifth_of_the_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 30 %, for a sweep whose networks differ by a factor of 300 in their work, the largest first."""
    grid = cells(Sweep.model_validate(BLOCKS[name]), 1, SAMPLES)
    told = [ms for by_activation in MILLISECONDS[name].values() for ms in by_activation]
    keys = [key(layout_of(cell.spec.architecture, 1).ops, cell.spec.batch_size or 0) for cell in grid]
    seconds = {one: ms / 1000 for one, ms in zip(keys, told, strict=True)}
    clock = Clock()
    forecast = Forecast(clock)
    totals: list[tuple[float, float]] = []

    def progress(done: int, total: int, share: float) -> None:
        forecast.tell(share)
        if forecast.seconds_left is not None:
            totals.append((clock.now - 100.0, clock.now - 100.0 + forecast.seconds_left))

    monkeypatch.setattr(run, "_run_threads", lambda calls, n, total, told, *_: rehearse(calls, seconds, clock, told))
    specs = [network for cell in grid for network in cell.specs()]
    x = np.linspace(-1, 1, SAMPLES)[:, np.newaxis]
    train(specs, x, x, seed=1, progress=progress, n_threads=THREADS)
    truth = clock.now - 100.0
    late = [total / truth for now, total in totals if now >= 0.2 * truth]
    assert late[0] == pytest.approx(1, abs=0.3)
    assert late[len(late) // 2] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize(("batch_size", "steps"), [(None, 300), (10, 2000)])
def test_the_share_moves_while_a_single_network_is_trained(
    batch_size: int | None, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is asked for twenty times as often as it is elsewhere: a short training will do."""
    monkeypatch.setattr(run, "wait", lambda threads, timeout: wait(threads, timeout / 20))
    told: list[tuple[int, float]] = []
    x = np.linspace(-1, 1, SAMPLES)[:, np.newaxis]
    hundreds = spec("dense 100 > tanh > dense 100 > tanh > dense 1", steps=steps, batch_size=batch_size)
    train([hundreds], x, x, seed=1, progress=lambda done, total, share: told.append((done, share)))
    assert len({share for done, share in told if done == 0 and 0 < share < 1}) > 2


def test_a_forecast_starts_with_the_work_and_does_not_wait_for_the_next_report() -> None:
    clock = Clock()
    forecast = Forecast(clock)
    assert str(forecast) == "-:--:--"
    forecast.tell(0.0)
    assert forecast.seconds_left is None
    clock.now += 10
    forecast.tell(0.25)
    assert forecast.seconds_left == pytest.approx(30)
    clock.now += 5
    forecast.tell(0.25)
    assert forecast.seconds_left == pytest.approx(25)
    assert str(forecast) == "0:00:25"
    clock.now += 15
    forecast.tell(0.75)
    assert forecast.seconds_left == pytest.approx(10)
