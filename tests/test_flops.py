"""Operations of training, counted by hand, and what the sweep stage logs of its effort."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.workloads import WORKLOADS, Workload
from shoal.kernels.ensemble import NetworkSpec, Replicates, recorded_steps
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import store
from shoal.pipeline.stages import data, sweep
from shoal.pipeline.study.flops import sweep_flops, training_flops
from tests import studies
from tests.naive import Array

FORWARD = 2 * (1 * 5 + 5 * 3 + 3 * 1)
UPDATE = 3 * FORWARD - 2 * 5
"""Of one sample of a 1-5-3-1 network."""


def spec(text: str = "dense 5 > relu > dense 3 > relu > dense 1", **training: Any) -> NetworkSpec:
    return NetworkSpec(Architecture.parse(text), "assignment", 0, **training)


def test_full_batch() -> None:
    assert training_flops(spec(learning_rate=0.1, steps=7), 7, 1, 10, 5) == 10 * (7 * UPDATE + FORWARD)


def test_mini_batches() -> None:
    """Three batches of 4, 4 and 2 an epoch; recorded costs are passes of their own."""
    small = spec(learning_rate=0.1, steps=6, batch_size=4)
    passes = len(recorded_steps(6, 4))
    assert training_flops(small, 6, 1, 10, 5) == pytest.approx(20 * UPDATE + 10 * FORWARD * passes)
    assert training_flops(small, 0, 1, 10, 5) == 10 * FORWARD


def to_the_end(one: NetworkSpec) -> tuple[Replicates, Array]:
    """A network that takes all its steps."""
    return Replicates(one, np.array([one.replicate])), np.array([one.steps or 0])


def test_validations_are_forward_passes_until_the_network_stops() -> None:
    watched = {"learning_rate": 0.1, "steps": 9, "patience": 2, "validate_every": 4}
    for steps, n in ((9, 4), (8, 3), (4, 2)):  # at steps 0, 4, 8 and 9
        plain = training_flops(spec(learning_rate=0.1, steps=9), steps, 1, 10, 5)
        assert training_flops(spec(**watched), steps, 1, 10, 5) == plain + n * 5 * FORWARD
    lengths = [spec(**(watched | {"steps": steps})) for steps in (4, 9)]
    assert sweep_flops(map(to_the_end, lengths), 1, 10, 5) == sum(
        training_flops(one, one.steps or 0, 1, 10, 5) for one in lengths
    )


def test_every_branch_reads_the_input() -> None:
    """Layers that read the input have no gradient of it: 2 inputs, branches of 3 units, one of them deep."""
    branches = spec("(dense 3 | dense 4 > relu > dense 3) > dense 1", learning_rate=0.1, steps=1)
    inputs, rest = 2 * (2 * 3 + 2 * 4), 2 * (4 * 3 + 3 * 1)
    assert training_flops(branches, 1, 2, 10, 5) == 10 * (2 * inputs + 3 * rest + inputs + rest)


def test_ridge_is_a_forward_pass() -> None:
    assert training_flops(spec(optimizer="ridge", alpha=0.1), 0, 1, 10, 5) == 10 * FORWARD


def test_networks_that_differ_in_steps_alone_ran_once() -> None:
    specs = [spec(learning_rate=rate, steps=steps) for rate in (0.1, 0.2) for steps in (3, 9)]
    assert sweep_flops(map(to_the_end, specs), 1, 10, 5) == 2 * 10 * (9 * UPDATE + FORWARD)
    ended = [(Replicates(specs[0], np.array([4, 5, 6])), np.array([3, 1, 3])), to_the_end(specs[1])]
    assert sweep_flops(ended, 1, 10, 5) == 10 * ((3 + 1 + 3 + 9) * UPDATE + 4 * FORWARD)


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda workload: workload.name)
def test_the_benchmarks_count_alike(workload: Workload) -> None:
    one = workload.specs[-1]
    mine = training_flops(one, workload.steps, workload.n_features, workload.n_samples, 0)
    assert mine == pytest.approx(workload.flops(one), rel=1e-6)


def test_a_sweep_logs_its_effort(tmp_path: Path) -> None:
    paths = studies.write(tmp_path, {"rates": studies.RATES})
    data.run(paths)
    facts = sweep.run(paths, "rates")
    forward = 2 * (1 * 4 + 4 * 1)
    assert facts["gflop"] == pytest.approx(4 * 1000 * (20 * (3 * forward - 8) + forward) / 1e9, rel=1e-3)
    speed = facts["gflop"] / facts["training_seconds"]
    assert math.isclose(facts["gflop_per_second"], speed, rel_tol=0.05)
    assert facts["results"] == store.file_hash(paths.runs("rates"))
    assert facts["threads"] >= 1 and facts["instruction_set"] and set(facts["libraries"]) >= {"python", "numba"}
