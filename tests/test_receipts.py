"""Receipts: what results were made from, what the program may remove, and that nothing is written of two states."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shoal.pipeline import store
from shoal.pipeline.errors import DamagedFileError
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import receipts
from shoal.pipeline.provenance.freshness import refuse_mixture
from shoal.pipeline.provenance.receipts import OvertakenError
from shoal.pipeline.stages import data, evaluate, gradcheck, predict, sweep
from tests import studies

SWEEPS = {"sizes": studies.SIZES, "ridge": studies.RIDGE}
READ = ("data.json", "train.parquet", "validation.parquet")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return studies.complete(tmp_path_factory.mktemp("study"), SWEEPS, source="file")


@pytest.fixture
def study(finished: Paths, tmp_path: Path) -> Paths:
    shutil.copytree(finished.root, tmp_path / "copy")
    return Paths(tmp_path / "copy")


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ---- what a receipt says


def test_the_receipt_of_a_sweep_names_what_it_was_made_from_and_its_files(study: Paths) -> None:
    assert store.read_json(study.root / "results/ridge/receipt.json") == {
        "receipt": "results/ridge/receipt.json",
        "params": {"seed": 9001, "dtype": "float64", "sweeps.ridge": studies.RIDGE},
        "inputs": {f"data/{name}": sha(study.data / name) for name in READ},
        "files": {
            f"results/ridge/{name}.parquet": sha(study.root / f"results/ridge/{name}.parquet")
            for name in ("runs", "curves", "weights")
        },
    }


def test_the_receipt_of_the_data_names_the_table(study: Paths, tmp_path: Path) -> None:
    receipt = store.read_json(study.root / "data/receipt.json")
    assert receipt["params"]["data"]["path"] == "input/example.csv"
    assert receipt["inputs"] == {"input/example.csv": sha(study.root / "input/example.csv")}
    data.run(studies.write(tmp_path, SWEEPS))
    receipt = store.read_json(tmp_path / "data/receipt.json")
    assert receipt["params"] == {"seed": 9001, "data": {"source": "function"}}
    assert receipt["inputs"] == {}
    data.run(studies.write(tmp_path, SWEEPS, report={"title": "Mine"}))
    assert store.read_json(tmp_path / "data/receipt.json")["params"] == receipt["params"] | {
        "report": {"title": "Mine"}
    }
    handed_on = {"report": {"title": "Mine", "parts": {}}, "choose": "network", "interval": None}
    assert store.read_json(tmp_path / "data/study.json") == handed_on


def test_every_file_of_a_finished_study_is_in_one_receipt(study: Paths) -> None:
    gradcheck.run(study)
    named = [name for place in study.root.rglob("*receipt.json") for name in store.read_json(place)["files"]]
    made = {name for name in studies.files(study.root) if not name.endswith(("receipt.json", ".yaml", ".csv", ".txt"))}
    assert sorted(named) == sorted(made | {"predictions/test_predictions.csv"})


def test_the_order_of_keys_and_where_a_project_lies_leave_receipts_as_they_are(study: Paths) -> None:
    before = studies.files(study.root / "results")
    studies.write(study.root, {"ridge": dict(reversed(studies.RIDGE.items()))}, source="file")
    sweep.run(study, "ridge")
    assert studies.files(study.root / "results") == before


def test_a_table_may_lie_outside_the_project(study: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "table.csv"
    (study.root / "input/example.csv").rename(table)
    monkeypatch.chdir(study.root)
    for name in (str(table), "../table.csv"):
        studies.write(Path(), SWEEPS, source="file", path=name)
        data.run(Paths())
        assert store.read_json(Path("data/receipt.json"))["inputs"] == {name: sha(table)}


def test_a_choice_of_no_network_is_a_file_of_the_receipt(tmp_path: Path) -> None:
    rates = studies.RATES | {"activation": "linear", "learning_rate": 1e10}
    paths = studies.complete(tmp_path, {"rates": rates}, source="file", standardise=False)
    assert store.read_json(paths.chosen) is None
    receipt = store.read_json(paths.predictions_receipt)
    assert receipt["files"]["predictions/chosen.json"] == sha(paths.chosen)
    refuse_mixture(paths)


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_of_a_receipt_is_told(study: Paths) -> None:
    damage(study.sweep_receipt("sizes"))
    with pytest.raises(DamagedFileError, match=r"results/sizes/receipt\.json: this file is damaged"):
        receipts.read(study, "results/sizes/receipt.json")


def test_a_stage_writes_a_sound_receipt_over_a_damaged_one(study: Paths) -> None:
    before = study.sweep_receipt("ridge").read_bytes()
    damage(study.sweep_receipt("ridge"))
    sweep.run(study, "ridge")
    assert study.sweep_receipt("ridge").read_bytes() == before


# ---- what may be removed


def test_a_removed_sweep_takes_its_own_files_along_and_nothing_of_the_users(study: Paths) -> None:
    users = {
        "results/paper/table.tex": b"mine",
        "results/ridge/notes.txt": b"mine",
        "results/other/receipt.json": b'{"files": {"results/sizes/runs.parquet": "of a shop"}}',
        "results/bare/receipt.json": b"[1, 2",
        "metrics/mine.json": b"{}",
    }
    for name, content in users.items():
        (study.root / name).parent.mkdir(parents=True, exist_ok=True)
        (study.root / name).write_bytes(content)
    shutil.copytree(study.root / "results/ridge", study.root / "results/kept copy")
    edited = study.root / "results/ridge/curves.parquet"
    edited.write_bytes(b"edited")
    users |= {"results/ridge/curves.parquet": b"edited"}
    kept = ("kept copy", "results/sizes/")
    users |= {name: content for name, content in studies.files(study.root).items() if any(map(name.count, kept))}
    studies.write(study.root, {"sizes": studies.SIZES}, source="file")
    evaluate.run(study)
    left = studies.files(study.root)
    assert left.items() >= users.items()
    assert {name for name in left if name.startswith(("results/ridge", "metrics"))} == {
        "results/ridge/notes.txt",
        "results/ridge/curves.parquet",
        "metrics/.receipt.json",
        "metrics/mine.json",
        "metrics/sizes.json",
    }


def test_a_removed_sweep_of_which_nothing_was_kept_leaves_no_folder(study: Paths) -> None:
    studies.write(study.root, {"ridge": studies.RIDGE}, source="file")
    evaluate.run(study)
    assert not (study.root / "results/sizes").exists()
    assert {path.name for path in (study.root / "metrics").iterdir()} == {".receipt.json", "ridge.json"}


@pytest.mark.parametrize("befall", [Path.unlink, damage])
def test_results_without_a_sound_receipt_stay(study: Paths, befall: Callable[[Path], None]) -> None:
    befall(study.sweep_receipt("sizes"))
    studies.write(study.root, {"ridge": studies.RIDGE}, source="file")
    evaluate.run(study)
    assert study.weights("sizes").exists()


def test_the_report_removes_its_own_figures_alone(study: Paths) -> None:
    gradcheck.run(study)
    studies.report_undrawn(study)
    (study.figures / "ridge/slide.svg").write_text("mine")
    (study.figures / "logo.png").write_text("mine")
    before = set(studies.files(study.figures))
    studies.write(study.root, {"sizes": studies.SIZES}, source="file")
    evaluate.run(study)
    predict.run(study)
    studies.report_undrawn(study)
    after = set(studies.files(study.figures))
    assert before - after == {name for name in before if name.startswith("ridge/")} - {"ridge/slide.svg"}
    assert {"ridge/slide.svg", "logo.png"} < after


# ---- nothing of two states


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda root: studies.write(root, SWEEPS | {"ridge": studies.RIDGE | {"alpha": 0.5}}, source="file"),
         "sweeps.ridge.alpha"),
        (lambda root: studies.write(root, SWEEPS, "float32", source="file"), "dtype"),
        (lambda root: (root / "data/data.json").write_text("{}"), "data/data.json"),
        (lambda root: (root / "data/train.parquet").unlink(), "data/train.parquet"),
    ],
)  # fmt: skip
def test_a_stage_that_was_overtaken_writes_nothing(
    study: Paths, monkeypatch: pytest.MonkeyPatch, change: Any, names: str
) -> None:
    """Something changes while the networks are trained: after the stage has read it, before the first file."""
    trained = sweep.trained

    def train_and_change(*args: Any, **kwargs: Any) -> Any:
        result = trained(*args, **kwargs)
        change(study.root)
        return result

    monkeypatch.setattr(sweep, "trained", train_and_change)
    before = studies.files(study.root / "results")
    with pytest.raises(OvertakenError) as error:
        sweep.run(study, "ridge")
    found = f"results/ridge: found {names} changed since this stage began"
    assert str(error.value) == f"{found}; nothing more was written; run `dvc repro` again"
    assert studies.files(study.root / "results") == before


def test_another_sweep_or_a_comment_does_not_overtake_a_sweep(study: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = sweep.trained

    def train_and_change(*args: Any, **kwargs: Any) -> Any:
        studies.write(study.root, SWEEPS | {"sizes": studies.SIZES | {"steps": 3}}, source="file")
        with study.params.open("a") as file:
            file.write("\n# a comment")
        return trained(*args, **kwargs)

    monkeypatch.setattr(sweep, "trained", train_and_change)
    before = studies.files(study.root / "results")
    sweep.run(study, "ridge")
    assert studies.files(study.root / "results") == before


def test_an_evaluation_whose_results_change_meanwhile_writes_nothing(
    study: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = evaluate.cell_table

    def change_and_make(*args: Any) -> Any:
        studies.write(study.root, SWEEPS | {"ridge": studies.RIDGE | {"alpha": 0.5}}, source="file")
        sweep.run(study, "ridge")
        return made(*args)

    monkeypatch.setattr(evaluate, "cell_table", change_and_make)
    before = {name: made for name, made in studies.files(study.root).items() if not name.startswith("results")}
    with pytest.raises(OvertakenError, match=r"sweeps\.ridge\.alpha, results/ridge/receipt\.json changed"):
        evaluate.run(study)
    after = {name: made for name, made in studies.files(study.root).items() if not name.startswith("results")}
    assert {name for name in before if before[name] != after.get(name)} == {"params.yaml"}
    assert not list(study.root.rglob("*.tmp"))
