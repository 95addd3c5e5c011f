"""Studies that no machine holds are refused before anything runs, at the key to blame and without making their grid."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import _stage, data, sweep
from shoal.pipeline.study import limits
from shoal.pipeline.study.check import check
from shoal.pipeline.study.limits import Room
from shoal.pipeline.terminal import cli
from tests import studies

PLAIN = {"activation": ["relu", "tanh"], "depth": 2, "width": 10, "learning_rate": 0.02, "steps": 500, "replicates": 2}
SHAPELESS = {"learning_rate": 0.02, "steps": 500}
RIDGE = {"optimizer": "ridge", "alpha": 0.1, "activation": "relu", "depth": 1, "width": 10}
BATCHES = {"activation": "relu", "depth": 1, "width": 5, "learning_rate": 0.02, "batch_size": 1}
THOUSAND = list(range(1, 1001))
GB = 10**9


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 16 GB of memory and 100 GB of disk."""
    monkeypatch.setattr(Room, "here", lambda paths: Room(16 * GB, 100 * GB))


@pytest.mark.parametrize(
    ("block", "key", "found"),
    [
        (PLAIN | {"steps": 10**12}, "steps", "4 networks, 564 parameters, 2.8e18 operations, "),
        (PLAIN | {"width": 10**6}, "width", "4 networks, 4.0e12 parameters, 1.2e19 operations, "),
        (PLAIN | {"replicates": 10**9}, "replicates", "2.0e9 networks, 2.8e11 parameters, 7.0e17 operations, "),
        (PLAIN | {"depth": 10**9}, "depth", "4 networks, 4.4e11 parameters, "),
        (PLAIN | {"depth": 10**4, "width": [100, 500]}, "depth", "8 networks, 1.0e10 parameters, "),
        (PLAIN | {"width": THOUSAND, "learning_rate": [n / 1000 for n in THOUSAND], "steps": THOUSAND}, "width",
         "4.0e9 networks, "),
        (PLAIN | dict.fromkeys(("width", "depth", "steps", "replicates"), 10**99), "width", "2.0e99 networks, "),
        (BATCHES | {"epochs": 10**14}, "epochs", "1 network, 16 parameters, "),
        (RIDGE | {"width": 10**6}, "width", "1 network, 3.0 million parameters, 4.0e9 operations, "),
        (SHAPELESS | {"activation": "tanh", "hidden_sizes": [[5], [10**7, 10**7]]}, "hidden_sizes", "2 networks, "),
        (SHAPELESS | {"architecture": {"a": "dense 10000000 > relu > dense 10000000"}}, "architecture", "1 network, "),
    ],
)  # fmt: skip
def test_what_fits_no_machine_is_refused_at_the_key_to_blame(
    tmp_path: Path, block: dict[str, Any], key: str, found: str
) -> None:
    start = time.perf_counter()
    [line] = map(str, check(studies.write(tmp_path, {"fine": PLAIN, "large": block})).faults)
    assert time.perf_counter() - start < 30, "on any machine"
    assert line.startswith(f"params.yaml: sweeps.large.{key}: found {found}")
    allowed = "what fits 16.0 GB of memory and 100.0 GB of disk, which this machine has, and 1.0e18 operations"
    assert line.endswith(f"; allowed: {allowed}")


def test_sweeps_that_fit_one_by_one_may_be_too_much_together(tmp_path: Path) -> None:
    """Their results lie on one disk, while memory is free again after each."""
    large = PLAIN | {"width": 5000, "replicates": 8}
    blocks = {f"s{n}": large for n in range(32)}
    assert check(studies.write(tmp_path, dict(list(blocks.items())[:31]))).faults == []
    [line] = map(str, check(studies.write(tmp_path, blocks)).faults)
    assert line.startswith("params.yaml: sweeps: found 512 networks, 1.3e10 parameters, ")
    assert ", 102.5 GB of disk; allowed: " in line


def test_what_a_machine_lacks_another_may_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand networks of 25 million parameters: 200 GB of files, 800 GB of memory."""
    paths = studies.write(tmp_path, {"s": PLAIN | {"width": 5000, "replicates": 500, "steps": 1}})
    assert "found 1,000 networks, 2.5e10 parameters, " in str(check(paths).faults[0])
    monkeypatch.setattr(Room, "here", lambda paths: Room(900 * GB, 190 * GB))
    assert "200.2 GB of disk; allowed: what fits 900.0 GB of memory and 190.0 GB of disk" in str(check(paths).faults[0])
    monkeypatch.setattr(Room, "here", lambda paths: Room(900 * GB, 210 * GB))
    assert check(paths).faults == []


def test_the_sweep_stage_refuses_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data.run(studies.write(tmp_path, {"large": PLAIN | {"replicates": 10**9}}))
    line = studies.refusal(lambda: _stage.main("sweep-large", sweep.run, "large"), capsys)
    assert line.startswith("params.yaml: sweeps.large.replicates: found 2.0e9 networks, ")


def test_the_command_tells_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    studies.write(tmp_path, {"sizes": studies.SIZES, "ridge": studies.RIDGE}, source="file")
    with pytest.raises(SystemExit) as end:
        cli.main(["check"])
    out, err = capsys.readouterr()
    assert (end.value.code, err) == (0, "")
    columns = "features speed_m_s, angle_deg; targets range_m, height_m"
    first, second, third = out.splitlines()
    assert first == f"data: input/example.csv, 300 rows: 180 to train, 60 to validate, 60 to test; {columns}"
    assert second.startswith("plan: 28 networks, 948 parameters, 11.6 million operations, ")
    assert second.endswith(" MB of memory, 0.0 MB of disk (sizes 24, ridge 4)")
    assert third == "params.yaml: fine (2 sweeps: sizes, ridge)"


def test_room_is_that_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results that are there will be written anew: their place is free."""
    monkeypatch.undo()
    before = limits.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(limits.shutil, "disk_usage", lambda root: before)
    paths = Paths(tmp_path)
    assert Room.here(paths).memory == limits.psutil.virtual_memory().total
    assert Room.here(paths).disk == before.free
    paths.runs("a").parent.mkdir(parents=True)
    paths.runs("a").write_bytes(b"x" * 1234)
    assert Room.here(paths).disk == before.free + 1234
