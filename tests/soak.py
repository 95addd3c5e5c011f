"""Random networks, configurations and kills for a while: no crash, no hang, no wrong number.

    python -m tests.soak MINUTES [SEED]        (make soak MINUTES=10)

A round is drawn from a seed of its own, which is printed before it: `python -m tests.soak 0 SEED` repeats that round.
Networks are held to `tests/naive.py`; of a params.yaml that is drawn, whatever is wrong with it, there are lines or a
plan; a sweep that was killed on its way ends with the bytes of one that was not, whose numbers are those of the oracle.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data
from shoal.pipeline.study.check import check as check_params
from shoal.pipeline.study.check import load
from tests import bad_params, naive, studies
from tests.problems import cast, flat, problems, relative
from tests.test_training import Run, check, check_single

LONGEST = 120.0
"""Seconds after which a process hangs, on a busy machine."""
LINE = "params.yaml: "
DRAWN = {"database": None, "deadline": None, "max_examples": 10, "suppress_health_check": [*HealthCheck]}
RUNS = (st.sampled_from(["gd", "adam"]), st.floats(1e-4, 0.02), st.integers(1, 100))
VALUES = [0, -1, 1, 2, 7, 1e400, 1e-300, 0.02, "", "relu", "../up", "x" * 101, None, True, [], {}, [1, 1], [[3], [2]],
          "dense 3 > (skip | dense 3)", {"relu": 0.1}, {"engine": "dask", "address": "local"}]  # fmt: skip
SEED = 9001


def networks(number: int) -> str:
    """Ten networks of any shape, each against the oracle."""

    @hypothesis.seed(number)
    @hypothesis.settings(**DRAWN)
    @given(problems(), st.builds(Run, *RUNS), st.integers(1, 200), st.booleans())
    def drawn(problem: Any, run: Run, batch: int, is_single: bool) -> None:
        batch_size = None if batch > problem.n_samples else batch
        (check_single if is_single else check)(problem, run, batch_size, drawn=True)

    drawn()
    return "networks"


def configurations(number: int) -> str:
    """Thirty files, each with some keys that are others: all their faults, or a plan."""
    chance, told = random.Random(number), Counter[str]()
    with TemporaryDirectory() as folder:
        paths = studies.write(Path(folder), studies.SWEEPS)
        good = json.loads(paths.params.read_text(encoding="utf-8"))
        for _ in range(30):
            params = json.loads(json.dumps(good))
            for _ in range(chance.randint(0, 3)):
                spoil(params, chance)
            text = json.dumps(params)
            if chance.random() < 0.2:
                text = bad_params.GOOD
                for old, new, _ in chance.sample(bad_params.SINGLE, 2):
                    text = text.replace(old, new, 1)
            paths.params.write_text(text, encoding="utf-8")
            found = check_params(paths)
            lines = [str(fault) for fault in found.faults]
            assert all(line and "\n" not in line and "; allowed: " in line for line in lines), (text, lines)
            assert lines or len(found.plan) == 2, text
            told["refused" if lines else "sound"] += 1
    return f"configurations, {told['refused']} of {told.total()} refused"


def spoil(params: dict[str, Any], chance: random.Random) -> None:
    """Give a key that is there another value, or none, or another name."""
    place = params
    while True:
        key = chance.choice([*place])
        inner = place[key]
        if not (isinstance(inner, dict) and inner and chance.random() < 0.8):
            break
        place = inner
    act = chance.randrange(4)
    if act == 0:
        del place[key]
    elif act == 1:
        place[key + chance.choice("xs_.")] = place.pop(key)
    else:
        place[key] = chance.choice(VALUES)


def kills(number: int) -> str:
    """A sweep that is killed on its way, again and again, in the end has the bytes of one that was left alone."""
    chance = random.Random(number)
    sweeps = {"drawn": drawn_sweep(chance)}
    dtype = chance.choice(["float64", "float32"])
    n_killed = 0
    with TemporaryDirectory() as killed, TemporaryDirectory() as alone:
        paths = studies.write(Path(killed), sweeps, dtype)
        data.run(paths)
        for _ in range(chance.randint(1, 3)):
            n_killed += run_stage(paths, chance.uniform(0.1, 8.0), chance.choice(["SIGKILL", "SIGINT", "SIGTERM"]))
        assert not run_stage(paths)
        other = studies.train(studies.write(Path(alone), sweeps, dtype), sweeps)
        assert studies.files(paths.results) == studies.files(other.results)
        hold_to_the_oracle(other, dtype, chance)
    return f"kills, {n_killed} of a sweep"


def drawn_sweep(chance: random.Random) -> dict[str, Any]:
    """Seconds of networks, each of a kind that the oracle knows."""
    return {
        "optimizer": chance.choice(["gd", "adam"]),
        "activation": chance.sample(["relu", "tanh", "sigmoid", "silu", "linear"], 2),
        "depth": [1, chance.randint(2, 3)],
        "width": chance.sample(range(2, 60), 2),
        "learning_rate": chance.choice([0.002, 0.01]),
        "batch_size": chance.choice(["full", 7, 50]),
        "steps": [20, chance.randint(200, 3000)],
        "replicates": chance.randint(1, 4),
    }


def run_stage(paths: Paths, seconds: float | None = None, name: str = "SIGKILL") -> bool:
    """Run the sweep's stage, killed after so many seconds: whether it was; it says nothing but what it should."""
    command = [sys.executable, "-m", "shoal.pipeline.stages.sweep", "drawn"]
    with subprocess.Popen(command, cwd=paths.root, stdout=-1, stderr=subprocess.STDOUT, text=True) as process:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds or LONGEST)
        is_killed = seconds is not None and process.poll() is None
        while is_killed and process.poll() is None and not has_begun(process.pid):
            time.sleep(0.01)
        if is_killed:
            process.send_signal(getattr(signal, name))
        try:
            said = process.communicate(timeout=LONGEST)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{command} hangs after {name}") from None
    assert "Traceback" not in said, said
    assert is_killed or process.returncode == 0, said
    return is_killed


def has_begun(pid: int) -> bool:
    """Whether a program has its own word for a signal, on Linux: before, Python starts, and has a traceback."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt")]
    return any(mask >> (signal.SIGTERM - 1) & 1 for mask in masks)


def hold_to_the_oracle(paths: Paths, dtype: str, chance: random.Random) -> None:
    """Three networks with few steps, as nothing of chaos is in them yet."""
    runs, (_, dataset) = store.read_table(paths.runs("drawn")), load(paths)
    weights = store.read_table(paths.weights("drawn")).set_index("network_id")["params"]
    x, y = dataset.inputs(dataset.train), dataset.outputs(dataset.train)
    few = runs[(runs["steps"] == 20) & (runs["status"] == "ok")]
    for row in few.sample(min(3, len(few)), random_state=chance.randrange(1000)).to_dict("records"):
        architecture = Architecture.parse(row["architecture"])
        start = cast(naive.initial_weights(architecture, x.shape[1], SEED, row["replicate"]), dtype)
        training = architecture, start, x.astype(dtype), y.astype(dtype)
        optimizer, batch = naive.OPTIMIZERS[row["optimizer"]](row["learning_rate"]), row["batch_size"]
        if pd.isna(batch):
            want, _ = naive.full_batch(*training, optimizer, 20)
        else:
            want, _ = naive.minibatch(*training, optimizer, 20, int(batch), naive.shuffle_key(SEED, row["replicate"]))
        difference = relative(np.array(weights[row["network_id"]], float), flat(want))
        assert difference < (1e-10 if dtype == "float64" else 1e-3), (row, difference)


ROUNDS: list[Callable[[int], str]] = [networks, configurations, kills]


def main() -> None:
    """Rounds until the minutes are over, at least one; the first that fails ends with its traceback."""
    minutes = float(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6) * len(ROUNDS)
    end, told = time.monotonic() + 60 * minutes, Counter[str]()
    for number in count(first):
        round_ = ROUNDS[number % len(ROUNDS)]
        print(f"seed {number}: ", end="", flush=True)
        start = time.monotonic()
        print(f"{round_(number)}, {time.monotonic() - start:.1f} s", flush=True)
        told[round_.__name__] += 1
        if time.monotonic() >= end:
            break
    print("nothing found in " + ", ".join(f"{n} rounds of {name}" for name, n in told.items()))


if __name__ == "__main__":
    main()
