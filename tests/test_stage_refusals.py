"""Stages refuse bad input in the words of `shoal check`, and keep timings out of every file but their log."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shoal.pipeline import store
from shoal.pipeline.stages import _stage, data, evaluate, gradcheck, predict, sweep
from shoal.pipeline.terminal import cli
from tests import studies

STAGES: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "data": (data.run, ()),
    "sweep": (sweep.run, ("sizes",)),
    "gradcheck": (gradcheck.run, ()),
    "evaluate": (evaluate.run, ()),
    "predict": (predict.run, ()),
}


@pytest.mark.parametrize("name", STAGES)
def test_stages_refuse_a_bad_file_in_the_words_of_check(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    studies.train(studies.write(tmp_path, {"sizes": studies.SIZES}), ["sizes"])
    studies.write(tmp_path, {"sizes": studies.SIZES | {"width": [3, -5], "colour": "red"}})
    monkeypatch.chdir(tmp_path)
    run, arguments = STAGES[name]
    words = studies.refusal(lambda: cli.main(["check"]), capsys)
    assert words.count("\n") == 2
    assert "params.yaml: sweeps.sizes.width[1]: found -5; allowed: whole numbers of 1 or more\n" in words
    assert studies.refusal(lambda: _stage.main(name, run, *arguments), capsys) == words


@pytest.mark.parametrize("name", ["sweep", "gradcheck"])
@pytest.mark.parametrize(
    ("block", "place"),
    [
        (studies.BATCH | {"batch_size": [121, 5000]}, "sweeps.other.batch_size[1]: found 5000"),
        (studies.BRANCHES | {"architecture": {"odd": "(relu | dense 3)"}}, "sweeps.other.architecture.odd: found"),
    ],
)
def test_stages_refuse_what_the_data_cannot_give(
    name: str,
    block: dict[str, Any],
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    studies.train(studies.write(tmp_path, {"sizes": studies.SIZES, "other": block}, source="file"), [])
    monkeypatch.chdir(tmp_path)
    run, arguments = STAGES[name]
    words = studies.refusal(lambda: cli.main(["check"]), capsys)
    assert words.count("\n") == 1
    assert place in words
    assert studies.refusal(lambda: _stage.main(name, run, *arguments), capsys) == words


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["size"], "params.yaml: found no sweep 'size'; allowed: sizes\n"),
        ([], "stage sweep: found nothing after its name; allowed: NAME\n"),
        (["a", "b"], "stage sweep: found 'a b'; allowed: NAME\n"),
    ],
)
def test_a_sweep_by_hand_needs_the_name_of_one(
    words: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data.run(studies.write(tmp_path, {"sizes": studies.SIZES}))
    monkeypatch.chdir(tmp_path)
    assert studies.refusal(lambda: _stage.main("sweep", sweep.run, *words), capsys) == line


def test_a_log_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("logs").write_text("mine", encoding="utf-8")
    said = studies.refusal(lambda: _stage.main("data", data.run), capsys)
    assert said == "logs: found a file; allowed: a folder; move the file of this name away\n"


def test_only_the_log_knows_how_long_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = studies.write(tmp_path, {"sizes": studies.SIZES})
    data.run(paths)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    before = set(studies.files(tmp_path))
    _stage.main("sweep-sizes", sweep.run, "sizes")
    made = set(studies.files(tmp_path)) - before
    tables = (f"results/sizes/{name}.parquet" for name in ("runs", "curves", "weights"))
    assert made == {"logs/sweep-sizes.json", "results/sizes/receipt.json", *tables}
    log = store.read_json(paths.logs / "sweep-sizes.json")
    effort = {"training_seconds", "gflop", "gflop_per_second", "results", "instruction_set", "threads", "libraries"}
    assert set(log) == {"seconds", "finished", "networks", "known", "trained", "diverged"} | effort
    assert log["seconds"] > 0
    assert log["networks"] == 24
    out, err = capsys.readouterr()
    ahead, done = out.splitlines()
    assert ahead == (
        "sweep-sizes: 24 networks: 0 known, 24 to train: 44.5 million operations, under 1 s; 0.1 MB of memory, "
        "0.0 MB of disk"
    )
    assert re.fullmatch(r"sweep-sizes: 24 networks: 0 known, 24 trained, 0 diverged, [\d.]+ GFLOP/s, \d+\.\d s", done)
    assert not err, "progress is for terminals"


def test_a_stage_says_in_one_line_what_it_did() -> None:
    facts = {"networks": 480, "diverged": 3, "gflop_per_second": 45.67, "threads": 2, "seconds": 1}
    assert _stage.summary("sweep-sizes", 12.34, facts) == "sweep-sizes: 480 networks, 3 diverged, 45.7 GFLOP/s, 12.3 s"
    assert _stage.summary("data", 0.04, {}) == "data: 0.0 s"
