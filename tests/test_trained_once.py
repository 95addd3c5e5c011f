"""Nothing is trained twice, and nothing is lost: sweeps with a store of trained networks beside their params.yaml."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoal.kernels.compile import sources
from shoal.kernels.ensemble import NetworkSpec, Replicates, Samples
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.execution import local
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import _stage, data, sweep
from shoal.pipeline.store.entries import Store, probes
from shoal.pipeline.study import longer, training
from shoal.pipeline.terminal import cli
from tests import studies

FIRST = {
    "activation": ["relu", "tanh"],
    "depth": 1,
    "width": [3, 5],
    "learning_rate": [0.02, 0.05],
    "steps": [5, 20],
    "replicates": 2,
}
"""32 networks, which are trained 16 times."""
MINI = FIRST | {"batch_size": 8, "steps": 300, "keep": "best", "patience": 3}
"""16 networks that take validation costs, several of which stop early."""


@pytest.fixture
def study(tmp_path: Path) -> Paths:
    """Its sweep has run."""
    (tmp_path / "study").mkdir()
    paths = studies.train(studies.write(tmp_path / "study", {"first": FIRST}), [])
    assert counts(paths, "first") == (0, 32)
    return paths


def counts(paths: Paths, name: str) -> tuple[int, int]:
    """How many networks of a sweep were known, and how many were trained, when it ran."""
    facts = sweep.run(paths, name)
    assert facts["networks"] == facts["known"] + facts["trained"]
    return facts["known"], facts["trained"]


def cold(tmp_path: Path, sweeps: dict[str, Any], **keys: Any) -> dict[str, bytes]:
    """The results of the same study without a store."""
    (tmp_path / "cold").mkdir()
    paths = studies.train(studies.write(tmp_path / "cold", sweeps, **keys), sweeps)
    return studies.files(paths.results)


@pytest.mark.parametrize(
    ("edit", "known", "trained"),
    [
        ({}, 32, 0),
        ({"width": [3, 4, 5]}, 32, 16),
        ({"replicates": 3}, 32, 16),
        ({"width": [5, 3], "activation": ["tanh", "relu"]}, 32, 0),
        ({"learning_rate": 0.05, "steps": [20]}, 8, 0),
        ({"steps": [10, 20]}, 16, 16),
    ],
)
def test_an_edit_trains_what_is_new_and_gives_the_same_files(
    study: Paths, tmp_path: Path, edit: dict[str, Any], known: int, trained: int
) -> None:
    studies.write(study.root, {"first": FIRST | edit})
    data.run(study)
    assert counts(study, "first") == (known, trained)
    assert studies.files(study.results) == cold(tmp_path, {"first": FIRST | edit})
    studies.write(study.root, {"first": FIRST})
    assert counts(study, "first") == (32, 0), "and back"


@pytest.mark.parametrize("is_damaged", [False, True])
def test_more_steps_go_on_from_the_longest_run_there_is(
    study: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_damaged: bool
) -> None:
    begun, first = longer.ShorterRuns.begun, list[int]()

    def told(self: longer.ShorterRuns, *of: Any) -> Any:
        if is_damaged and not first:
            [path] = study.store.glob("*.segment")
            path.write_bytes(path.read_bytes()[:-9])
        found = begun(self, *of)
        first.extend(int(step) for _, networks in found for step in networks.steps)
        return found

    monkeypatch.setattr(longer.ShorterRuns, "begun", told)
    edit = FIRST | {"steps": [5, 30, 40]}
    studies.write(study.root, {"first": edit})
    data.run(study)
    facts = sweep.run(study, "first")
    assert (facts["known"], facts["trained"]) == (16, 32)
    assert Counter(first) == ({20: 14, 5: 2} if is_damaged else {20: 16})
    assert studies.files(study.results) == cold(tmp_path, {"first": edit})
    (tmp_path / "again").mkdir()
    whole = sweep.run(studies.train(studies.write(tmp_path / "again", {"first": edit}), []), "first")
    assert 0.5 < facts["gflop"] / whole["gflop"] < (0.6 if is_damaged else 0.52), "half the steps, and a last cost"


def test_the_name_of_a_sweep_makes_no_difference(study: Paths, tmp_path: Path) -> None:
    studies.write(study.root, {"second": FIRST})
    assert counts(study, "second") == (32, 0)
    assert studies.files(study.results / "second") == {
        name.removeprefix("second/"): content for name, content in cold(tmp_path, {"second": FIRST}).items()
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_kind_of_result_comes_back_to_the_bit(tmp_path: Path, dtype: str) -> None:
    diverging = FIRST | {"learning_rate": 1e200}
    blocks = {"mini": MINI, "diverging": diverging, "ridge": studies.RIDGE, "branches": studies.BRANCHES}
    paths = studies.train(studies.write(tmp_path, blocks, dtype), blocks)
    before = studies.files(paths.results)
    for name in blocks:
        assert counts(paths, name)[1] == 0
    assert studies.files(paths.results) == before


def test_another_dtype_or_other_data_are_other_networks(study: Paths) -> None:
    studies.write(study.root, {"first": FIRST}, "float32")
    assert counts(study, "first") == (0, 32)
    studies.write(study.root, {"first": FIRST}, source="file")
    data.run(study)
    assert counts(study, "first") == (0, 32)


def test_an_engine_with_other_sources_and_the_same_bits_knows_them(
    study: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "source_hash", lambda: "another")
    assert counts(study, "first") == (32, 0)
    digests = probes.digests
    monkeypatch.setattr(sources, "source_hash", lambda: "a third")
    monkeypatch.setattr(probes, "digests", lambda *of: digests(*of) | {"large, full batch": "other bits"})
    assert counts(study, "first") == (0, 32)
    monkeypatch.setattr(sources, "source_hash", lambda: "another")
    assert counts(study, "first") == (32, 0)


def test_a_run_that_was_stopped_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study").mkdir()
    paths = studies.write(tmp_path / "study", {"first": FIRST})
    data.run(paths)
    train_replicates, calls = local.train_replicates, list[int]()

    def stopped(wanted: Sequence[Replicates], *of: Any, **options: Any) -> Any:
        calls.append(sum(len(numbers) for _, numbers in wanted))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return train_replicates(wanted, *of, **options)

    with monkeypatch.context() as small:
        small.setattr(local.Threads, "seconds", 0)
        small.setattr(local, "train_replicates", stopped)
        with pytest.raises(KeyboardInterrupt):
            sweep.run(paths, "first")
    (paths.results / "first" / ".curves.parquet.999999999.tmp").write_text("of a run that was killed")
    assert counts(paths, "first") == (sum(calls[:2]), 32 - sum(calls[:2]))
    assert sum(calls[:2]) > 0
    assert studies.files(paths.results) == cold(tmp_path, {"first": FIRST})


def spoil(folder: Path) -> None:
    [segment] = folder.glob("*.segment")
    segment.write_bytes(segment.read_bytes()[:-3])


def replace(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.touch()


@pytest.mark.parametrize(
    ("harm", "known", "said"),
    [
        (spoil, 30, "found 2 damaged of 32 networks; they are trained again"),
        (replace, 0, "found file exists; networks are trained without being kept; SHOAL_STORE names another folder"),
    ],
)
def test_what_happens_to_the_store_costs_time_alone(
    study: Paths, harm: Callable[[Path], None], known: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = studies.files(study.results)
    harm(study.store)
    assert counts(study, "first") == (known, 32 - known)
    assert capsys.readouterr().err == f"{study.store}: {said}\n"
    assert studies.files(study.results) == before


def test_the_environment_names_another_store(
    study: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOAL_STORE", str(tmp_path / "shared" / "store"))
    monkeypatch.chdir(study.root)
    _stage.main("sweep-first", sweep.run, "first")
    ahead, done = capsys.readouterr().out.splitlines()
    assert ahead.startswith("sweep-first: 32 networks: 0 known, 32 to train: ")
    assert done.startswith("sweep-first: 32 networks: 0 known, 32 trained, 0 diverged, ")
    _stage.main("sweep-first", sweep.run, "first")
    ahead, done = capsys.readouterr().out.splitlines()
    assert ahead == "sweep-first: 32 networks: 32 known"
    assert done.startswith("sweep-first: 32 networks: 32 known, 0 trained, 0 diverged, 0.")


def shoal(words: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(words.split())
    return int(str(end.value.code))


def test_the_store_is_looked_after(
    study: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study.root)
    studies.write(Path(), {"first": FIRST | {"width": 3}})
    assert counts(Paths(), "first") == (16, 0)
    assert shoal("store info") == shoal("store verify") == shoal("store prune") == 0
    info, verified, pruned = capsys.readouterr().out.splitlines()
    assert info.startswith(".shoal: 32 networks in 1 files of 0.0 MB; results here name 16, of which 16 are kept")
    assert verified == ".shoal: 32 networks, all as they were written"
    assert pruned.startswith(".shoal: 16 networks removed, 16 kept; 1 files of ")
    assert counts(Paths(), "first") == (16, 0)
    spoil(Path(".shoal"))
    assert shoal("store verify") == 2
    assert "2 of 16 networks are damaged and set aside" in capsys.readouterr().out
    assert counts(Paths(), "first") == (14, 2)


def test_there_may_be_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shoal("store info") == 0
    assert capsys.readouterr().out == ".shoal: no network is kept here; a sweep begins with it\n"
    Store(Path(".shoal")).put([])
    assert shoal("store prune") == 2
    assert capsys.readouterr().err.startswith("results: found no results, which say what to keep")


@pytest.mark.parametrize("batch_size", [None, 8, 50])
@pytest.mark.parametrize("seconds", [0, 1e-3, 3])
def test_chunks_are_all_networks_once_and_those_of_a_kind_together(batch_size: int | None, seconds: float) -> None:
    architecture = Architecture.parse("dense 5 > tanh > dense 1")
    wanted = [
        Replicates(
            NetworkSpec(architecture, "assignment", 0, learning_rate=rate, steps=steps, batch_size=batch_size), own
        )
        for steps, rate, own in product((10, 300), (0.1, 0.2), (np.arange(40), np.arange(30, 50), np.arange(0)))
    ]
    data, chunks = Samples(np.zeros((100, 2)), np.zeros((100, 1))), list[set[tuple[int, int]]]()
    queue = training.Queue(wanted, [data], [0] * len(wanted), 2, seconds)
    for chunk in queue:
        chunks.append({(i, int(wanted[i].numbers[place])) for i, places in chunk.places for place in places})
        assert [own.spec for own in chunk.networks] == [wanted[i].spec for i, _ in chunk.places]
        queue.took(chunk, 0.5)
    every = {(i, n) for i, (_, numbers) in enumerate(wanted) for n in numbers.tolist()}
    assert sum(map(len, chunks)) == len(every) and set().union(*chunks) == every
    for chunk_of in chunks:  # a replicate with all its steps, in whichever of the lists it stands
        assert {
            (j, n) for i, n in chunk_of for j in range(i % 6 // 3 * 3, 12, 6) for j in (j, j + 1) if (j, n) in every
        } <= chunk_of
    assert len(chunks) == 1 if seconds == 3 else len(chunks) > 1
    assert queue.done == pytest.approx(queue.work)
