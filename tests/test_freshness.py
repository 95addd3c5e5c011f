"""Commands say what has changed since the results were made, and are silent where nothing that matters has."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.freshness import MixedError, refuse_mixture
from shoal.pipeline.stages import data, evaluate, predict, sweep
from shoal.pipeline.terminal import cli
from tests import studies
from tests.made_up import copy_store

SWEEPS = {"sizes": studies.SIZES, "ridge": studies.RIDGE}
TABLE = "input/example.csv"
PREDICT = "predict new.csv --output out.csv"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return studies.complete(tmp_path_factory.mktemp("study"), SWEEPS, source="file")


@pytest.fixture
def study(finished: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    study = studies.copied(finished, tmp_path, monkeypatch)
    Path("new.csv").write_text("angle_deg,speed_m_s\n45,20.5\n", encoding="utf-8")
    return study


@pytest.fixture
def says(capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """What a command that goes well says on the error output."""

    def run(words: str) -> str:
        with pytest.raises(SystemExit) as end:
            cli.main(words.split())
        out, err = capsys.readouterr()
        assert end.value.code == 0
        assert out
        return err

    return run


def line(*names: str) -> str:
    return f"not up to date: {', '.join(names)} changed after these results; `dvc repro` renews them\n"


COMPARE = "compare sizes/relu-d1-w003 sizes/tanh-d1-w003"


@pytest.mark.parametrize("words", ["show", "show sizes", COMPARE, f"{COMPARE[:26]} ridge/relu-d2-w004", PREDICT])
def test_fresh_results_are_shown_without_a_word(study: Paths, says: Callable[[str], str], words: str) -> None:
    assert says(words) == ""


def other(**keys: Any) -> dict[str, Any]:
    return {"sizes": studies.SIZES | keys, "ridge": studies.RIDGE}


@pytest.mark.parametrize(
    ("sweeps", "keys", "names"),
    [
        (other(steps=30), {}, ["sweeps.sizes.steps"]),
        (other(init="assignment", learning_rate={"relu": 0.02, "tanh": 0.1}), {},
         ["sweeps.sizes.init", "sweeps.sizes.learning_rate.tanh"]),
        (SWEEPS, {"dtype": "float32"}, ["dtype"]),
        (SWEEPS, {"split_seed": 7}, ["data.split_seed"]),
        (SWEEPS, {"targets": ["range_m"]}, ["data.targets"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", ["show", "show sizes", COMPARE, PREDICT])
def test_what_changed_in_params_is_named(
    study: Paths, says: Callable[[str], str], words: str, sweeps: Any, keys: dict[str, Any], names: list[str]
) -> None:
    studies.write(Path(), sweeps, source="file", **keys)
    assert says(words) == line(*names)


def test_a_changed_seed_or_source_is_named(study: Paths, says: Callable[[str], str]) -> None:
    text = study.params.read_text().replace('"seed": 9001', '"seed": 9002')
    study.params.write_text(text)
    assert says("show ridge") == line("seed")
    studies.write(Path(), SWEEPS, source="function")
    assert "data.source" in says("show ridge")


def test_a_changed_table_is_named_until_the_data_are_made_anew(study: Paths, says: Callable[[str], str]) -> None:
    rows = (study.root / TABLE).read_text().splitlines()
    (study.root / TABLE).write_text("\n".join(rows[:-1]) + "\n")
    assert says("show ridge") == says(PREDICT) == line(TABLE)
    data.run(study)
    of_sweeps = ("data/data.json", "data/train.parquet", "data/validation.parquet")
    assert says("show ridge") == line(*of_sweeps, "data/rows.parquet", "data/test.parquet")


@pytest.mark.parametrize(
    "text",
    [
        lambda text: text + "\n# a comment\n",
        lambda text: text.replace('"steps": 20, "replicates": 3', '"replicates": 3, "steps": 20'),
        lambda text: text.replace('"granularity": "cell"', '"granularity": "network"'),
        lambda text: text.replace('"sweeps": {', '"report": {"title": "Mine", "parts": {"ridge": "1"}}, "sweeps": {'),
    ],
)
@pytest.mark.parametrize("words", ["show", PREDICT])
def test_what_does_not_matter_is_passed_over(
    study: Paths, says: Callable[[str], str], words: str, text: Callable[[str], str]
) -> None:
    before = study.params.read_text()
    study.params.write_text(text(before))
    assert study.params.read_text() != before
    assert says(words) == ""


def test_another_sweep_matters_to_the_choice_alone(study: Paths, says: Callable[[str], str]) -> None:
    key = store.read_table(study.runs("ridge"))["network_id"][0]
    studies.write(Path(), other(width=4), source="file")
    assert says("show ridge") == says(f"{PREDICT} --network {key}") == ""
    assert says("show") == says(PREDICT) == line("sweeps.sizes.width")
    studies.write(Path(), SWEEPS | {"new": studies.RIDGE}, source="file")
    assert says("show sizes") == ""
    assert says(PREDICT) == line("sweeps.new")
    chosen = store.read_json(study.chosen)["sweep"]
    studies.write(Path(), {chosen: SWEEPS[chosen]}, source="file")
    removed = next(name for name in SWEEPS if name != chosen)
    assert says(PREDICT) == line(f"sweeps.{removed}")


def test_the_table_does_not_matter_where_the_data_are_a_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: Callable[[str], str]
) -> None:
    paths = studies.complete(tmp_path, {"ridge": studies.RIDGE})
    monkeypatch.chdir(tmp_path)
    studies.write(tmp_path, {"ridge": studies.RIDGE}, targets=["range_m"], split_seed=3)
    with (paths.root / TABLE).open("a") as table:
        table.write("1,2,3,4\n")
    assert says("show") == ""


def test_results_newer_than_their_evaluation_are_told_and_not_tracked(study: Paths, says: Callable[[str], str]) -> None:
    refuse_mixture(study)
    studies.write(Path(), other(steps=30), source="file")
    sweep.run(study, "sizes")
    assert says("show ridge") == ""
    assert says("show sizes") == says(COMPARE) == line("results/sizes")
    with pytest.raises(MixedError, match=r"^results/sizes: found changes after the evaluation or the report; run `dvc"):
        refuse_mixture(study)
    evaluate.run(study)
    with pytest.raises(MixedError, match=r"^evaluation/networks\.parquet, results/sizes: found"):
        refuse_mixture(study)
    predict.run(study)
    refuse_mixture(study)
    assert says("show") == says(PREDICT) == ""


def test_a_network_that_was_chosen_and_is_gone_is_one_line(study: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = store.read_json(study.chosen)
    another = next(name for name in SWEEPS if name != chosen["sweep"])
    shutil.copy(study.runs(another), study.runs(chosen["sweep"]))
    words = studies.refusal(lambda: cli.main(PREDICT.split()), capsys)
    found = f"no network '{chosen['network_id']}' in the results of {chosen['sweep']}"
    assert words == f"predictions/chosen.json: found {found}; `dvc repro` brings them up to date\n"


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_what_mlflow_shows_is_told_of_too(
    study: Paths, blank: Path, says: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_store(blank, study.mlflow_database)
    monkeypatch.setattr("shoal.pipeline.tracking.server._serve", lambda *_: print("served"))
    assert says("track") == says("ui") == ""
    studies.write(Path(), other(steps=30), source="file")
    assert says("track") == says("ui") == line("sweeps.sizes.steps")


def test_a_damaged_receipt_is_a_change(study: Paths, says: Callable[[str], str]) -> None:
    for place in (study.sweep_receipt("sizes"), study.evaluation_receipt):
        content = place.read_bytes()
        place.write_bytes(content.replace(b"9001", b"9002"))
        assert says("show sizes") == line(str(place).removesuffix("/receipt.json"))
        with pytest.raises(MixedError, match=f"^{place.parent}"):
            refuse_mixture(study)
        place.write_bytes(content)


def test_results_without_a_receipt_are_shown_as_they_are(study: Paths, says: Callable[[str], str]) -> None:
    for receipt in Path().rglob("*receipt.json"):
        receipt.unlink()
    studies.write(Path(), other(steps=30), source="file")
    assert says("show") == says(PREDICT) == ""
