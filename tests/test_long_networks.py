"""A sweep that is killed in the middle of a long network goes on there: the same tables, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shoal.kernels.compile import sources
from shoal.kernels.training import run
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import data, sweep
from shoal.pipeline.store.entries import Store, begun
from tests import studies

LONG = {"activation": ["relu", "tanh"], "depth": 1, "width": 3, "learning_rate": 0.02, "batch_size": 8}
LONG |= {"optimizer": "adam", "steps": [10_000, 20_000], "replicates": 2}
"""8 networks, which are trained 4 times."""
Harm = Callable[[pytest.MonkeyPatch, Path], str]


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A study whose sweep ended, as by a kill, when its networks had been kept twice on their way."""
    (tmp_path / "left").mkdir()
    paths = studies.write(tmp_path / "left", {"long": LONG})
    data.run(paths)
    keep, calls = begun.ChunkKeeper.keep, list[int]()

    def killed(self: begun.ChunkKeeper, networks: Any) -> None:
        keep(self, networks)
        calls.append(len(networks))
        if len(calls) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as often:
        often.setattr(begun.ChunkKeeper, "seconds", 0.0)
        often.setattr(run, "PAUSES", 1e9)
        often.setattr(begun.ChunkKeeper, "keep", killed)
        with pytest.raises(KeyboardInterrupt):
            sweep.run(paths, "long")
    assert len([*paths.store.glob("*.begun")]) == 1
    return paths


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps from which networks go on."""
    steps, found = list[int](), begun.OnTheirWay.found

    def told(self: begun.OnTheirWay, *of: Any) -> Any:
        there = found(self, *of)
        steps.extend(int(one.steps[0]) for one in there.values())
        return there

    monkeypatch.setattr(begun.OnTheirWay, "found", told)
    return steps


def trained(paths: Paths) -> int:
    """How many networks the sweep trains; it leaves none on its way."""
    facts = sweep.run(paths, "long")
    assert [*paths.store.glob("*.begun*")] == []
    return int(facts["trained"])


def test_networks_go_on_from_where_they_were(left: Paths, steps: list[int], tmp_path: Path) -> None:
    assert trained(left) == 8
    assert steps
    assert min(steps) > 0
    (tmp_path / "cold").mkdir()
    undisturbed = studies.train(studies.write(tmp_path / "cold", {"long": LONG}), ["long"])
    assert studies.files(left.results) == studies.files(undisturbed.results)


def of_other_sources(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    monkeypatch.setattr(sources, "source_hash", lambda: "another")
    return ""


def flipped(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return f"{path}: found damaged networks on their way; they begin anew\n"


def cut(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    path.write_bytes(path.read_bytes()[:-1])
    return f"{path}: found damaged networks on their way; they begin anew\n"


@pytest.mark.parametrize("harm", [of_other_sources, flipped, cut])
def test_they_begin_anew_where_what_was_kept_is_damaged_or_another_engines(
    harm: Harm,
    left: Paths,
    steps: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    [path] = left.store.glob("*.begun")
    said = harm(monkeypatch, path)
    capsys.readouterr()
    assert trained(left) == 8
    assert steps == []
    assert capsys.readouterr().err == said


def test_a_disk_that_is_full_costs_what_would_be_kept_alone(
    left: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(begun, "record", full)
    monkeypatch.setattr(begun.ChunkKeeper, "seconds", 0.0)
    facts = sweep.run(left, "long")
    assert facts["trained"] == 8
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "found no space left on device; networks are trained without being kept" in said
    assert len([*left.store.glob("*.begun*")]) == 1


def test_prune_removes_them(left: Paths) -> None:
    (left.store / "x.begun.new").write_bytes(b"half")
    Store(left.store).prune([])
    assert [*left.store.glob("*.begun*")] == []
