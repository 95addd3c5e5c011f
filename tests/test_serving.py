"""What answers: one network, those of a cell or the best of all, with intervals; the same wherever it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import config, data, store
from shoal.pipeline.config import ConfigError
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance import freshness
from shoal.pipeline.report.document.blocks import Section
from shoal.pipeline.report.evidence import test_set as section
from shoal.pipeline.stages import data as data_stage
from shoal.pipeline.stages import evaluate, predict, report
from shoal.pipeline.statistics import conformal
from shoal.pipeline.terminal import cli
from shoal.pipeline.tracking.model import read_chosen
from shoal.pipeline.tracking.state import read_states
from tests import studies

Captured = pytest.CaptureFixture[str]
SMALL = studies.SIZES | {"depth": 1}
FATAL = SMALL | {"activation": "linear", "width": 4, "learning_rate": [0.02, 10.0], "depth": 2, "steps": 40}
SWEEPS = {"sizes": SMALL, "fatal": FATAL, "again": SMALL}
"""Networks that diverged are among them, and networks that are there twice."""
FRACTIONS = {"train": 0.5, "validation": 0.2, "test": 0.2, "calibration": 0.1}
TARGETS = ["range_m", "height_m"]
ENDS = ("low", "high")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = studies.write(tmp_path_factory.mktemp("study"), SWEEPS, source="file", fractions=FRACTIONS)
    studies.train(paths, SWEEPS)
    evaluate.run(paths)
    return paths


@pytest.fixture
def study(trained: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return studies.copied(trained, tmp_path, monkeypatch)


def asked(study: Paths, **keys: Any) -> Any:
    """The choice where params.yaml has these keys as well."""
    data_stage.run(studies.keyed(study, **keys))
    predict.run(study)
    return store.read_json(study.chosen)


def answers(study: Paths, split: data.Split, members: list[dict[str, Any]]) -> np.ndarray:
    """Predictions of each of these networks alone, (n_networks, n, n_outputs)."""
    dataset, found = data.load(study), []
    for member in members:
        network = store.load_network(study, [member["sweep"]], member["network_id"])
        found.append(dataset.predictor(str(network.architecture), network.params).predict(split.x))
    return np.array(found)


def score(study: Paths, split: data.Split, members: list[dict[str, Any]]) -> float:
    dataset = data.load(study)
    y_hat = answers(study, split, members).mean(axis=0)
    return float(np.mean(((y_hat - split.y) / dataset.train.y.std(axis=0)) ** 2))


def test_to_say_the_default_changes_nothing(study: Paths) -> None:
    predict.run(study)
    files = studies.files(study.root / "predictions")
    receipt = files.pop("receipt.json")
    choice = asked(study, choose="network")
    after = studies.files(study.root / "predictions")
    assert after.pop("receipt.json") != receipt
    assert after == files
    assert not {"ensemble", "interval"} & set(choice)
    assert list(pd.read_csv(study.test_predictions))[-2:] == ["range_m_predicted", "height_m_predicted"]


@pytest.mark.parametrize("n", [3, 500])
def test_the_best_of_all_cells_are_averaged(study: Paths, n: int) -> None:
    """Each once, diverged ones never, as many as there are."""
    single = store.read_json(study.chosen) if study.chosen.exists() else asked(study)
    choice = asked(study, choose={"best": n})
    members = choice["ensemble"]["networks"]
    networks = store.read_table(study.networks).drop_duplicates("network_id").sort_values("validation_score")
    sound = networks[networks["status"] == "ok"]["network_id"].tolist()
    assert [member["network_id"] for member in members] == sound[:n]
    assert (f"({n} are asked for" in choice["ensemble"]["why"]) == (n > len(sound))
    assert {key: value for key, value in choice.items() if key != "ensemble"} == single
    dataset = data.load(study)
    for split in ("validation", "test"):
        expected = score(study, getattr(dataset, split), members)
        assert choice["ensemble"][f"{split}_score"] == pytest.approx(expected, rel=1e-9)


def test_the_cell_is_the_one_whose_mean_is_best(study: Paths) -> None:
    choice = asked(study, choose="cell")
    networks, validation = store.read_table(study.networks), data.load(study).validation
    networks = networks[networks["status"] == "ok"]
    cells = {
        key: score(study, validation, cell.to_dict("records")) for key, cell in networks.groupby(["sweep", "cell"])
    }
    sweep, cell = min(cells, key=lambda key: cells[key])
    members = choice["ensemble"]["networks"]
    assert {(member["sweep"], member["cell"]) for member in members} == {(sweep, cell)}
    own = networks[(networks["sweep"] == sweep) & (networks["cell"] == cell)]
    assert sorted(member["network_id"] for member in members) == sorted(own["network_id"])
    assert len(cells) == 9 and "of the means of all 10 cells" in choice["ensemble"]["why"], "one cell diverged"


def test_all_who_are_asked_answer_the_same(study: Paths, capsys: Captured) -> None:
    """The table of test predictions, `shoal predict`, and what goes to MLflow: mean, spread, ends of the interval."""
    choice = asked(study, choose={"best": 4}, interval=0.8)
    dataset = data.load(study)
    found = answers(study, dataset.test, choice["ensemble"]["networks"])
    assert dataset.calibration is not None and len(dataset.calibration.x) == 30
    kept = answers(study, dataset.calibration, choice["ensemble"]["networks"]).mean(axis=0)
    widths = conformal.half_widths(kept - dataset.calibration.y, 0.8)
    mean, spread = found.mean(axis=0), found.std(axis=0)
    expected = np.hstack([mean, spread, mean - widths, mean + widths])
    names = [f"{target}_{kind}" for kind in ("predicted", "spread", *ENDS) for target in TARGETS]
    table = pd.read_csv(study.test_predictions)
    assert list(table)[5:] == names
    np.testing.assert_allclose(table[names], expected, rtol=1e-9)

    table[list(dataset.feature_names)].to_csv("new.csv", index=False)
    with pytest.raises(SystemExit):
        cli.main(["predict", "new.csv", "--output", "out.csv"])
    assert pd.read_csv("out.csv")[names].equals(table[names])
    chosen = read_chosen(study, choice)
    assert chosen.outputs == names and chosen.name == "mean-of-4-networks"
    np.testing.assert_array_equal(chosen.predictor.answer(dataset.test.x), table[names])
    assert json.loads(chosen.text)["members"] == choice["ensemble"]["networks"]
    assert chosen.facts["test_score"] == str(choice["ensemble"]["test_score"])
    shares = np.mean(np.abs(mean - dataset.test.y) <= widths, axis=0)
    assert list(choice["interval"]["coverage"].values()) == pytest.approx(shares.tolist())
    assert choice["interval"]["test_rows"] == 60


def test_one_network_can_be_asked_with_its_own_interval(study: Paths, capsys: Captured) -> None:
    asked(study, choose={"best": 4}, interval=0.8)
    dataset = data.load(study)
    network = store.read_table(study.runs("sizes")).iloc[2]
    pd.DataFrame(dataset.test.x, columns=list(dataset.feature_names)).to_csv("new.csv", index=False)
    with pytest.raises(SystemExit):
        cli.main(["predict", "new.csv", "--output", "out.csv", "--network", network["network_id"]])
    written = pd.read_csv("out.csv")
    names = [f"{target}_{kind}" for kind in ("predicted", *ENDS) for target in TARGETS]
    assert list(written)[3:] == names
    assert dataset.calibration is not None
    member = [{"sweep": "sizes", "network_id": network["network_id"]}]
    [kept], [y_hat] = answers(study, dataset.calibration, member), answers(study, dataset.test, member)
    widths = conformal.half_widths(kept - dataset.calibration.y, 0.8)
    np.testing.assert_allclose(written[names], np.hstack([y_hat, y_hat - widths, y_hat + widths]), rtol=1e-9)


def test_too_few_rows_are_told_and_leave_the_ends_empty(study: Paths, capsys: Captured) -> None:
    choice = asked(study, interval=0.99)
    line = (
        "no prediction interval: found 30 rows to calibrate on; allowed: 99 or more for interval: 0.99 (a larger "
        "data.fractions.calibration, more rows, or a lower level); the columns of its ends are empty\n"
    )
    assert capsys.readouterr().err == line
    assert choice["interval"] == {
        "level": 0.99, "calibration_rows": 30, "rows_needed": 99, "half_width": dict.fromkeys(TARGETS),
        "coverage": dict.fromkeys(TARGETS), "test_rows": 60,
    }  # fmt: skip
    table = pd.read_csv(study.test_predictions)
    assert table[[f"{target}_{end}" for target in TARGETS for end in ENDS]].isna().all(axis=None)
    table[["speed_m_s", "angle_deg"]].to_csv("new.csv", index=False)
    with pytest.raises(SystemExit):
        cli.main(["predict", "new.csv", "--output", "out.csv"])
    assert capsys.readouterr().err.endswith(line)
    assert Path("out.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",,,,")


def test_show_and_report_say_what_answers(study: Paths, capsys: Captured) -> None:
    choice = asked(study, choose="cell", interval=0.9)
    with pytest.raises(SystemExit):
        cli.main(["show", "sizes"])
    out = " ".join(capsys.readouterr().out.split())
    n = len(choice["ensemble"]["networks"])
    for said in (out, text(section(report_of(study)))):
        assert (
            f"What answers is the mean of the {n} networks of cell {choice['ensemble']['networks'][0]['cell']}" in said
        )
        assert f"in brackets the best single network, {choice['network_id']} of cell {choice['cell']}" in said
        assert "Prediction intervals of level 0.9, from 30 rows kept for them: of the 60 test rows, they hold" in said


def report_of(study: Paths) -> Any:
    studies.without_gradcheck(study)
    return report.load(study)


def text(part: Section) -> str:
    return " ".join(block for block in part.blocks if isinstance(block, str))


def test_the_model_hangs_at_the_sweep_of_the_best_that_answers(study: Paths) -> None:
    choice = asked(study, choose="cell")
    sweep = choice["ensemble"]["networks"][0]["sweep"]
    states = read_states(study, list(SWEEPS), "cell")
    assert [state.sweep for state in states if state.choice] == [sweep]
    [before] = [state.files_digest for state in states if state.choice]
    choice["ensemble"]["networks"].pop()
    store.write_sealed_json(study.chosen, choice)
    assert before not in [state.files_digest for state in read_states(study, list(SWEEPS), "cell")]


def test_another_choice_makes_predictions_out_of_date(study: Paths) -> None:
    asked(study, choose={"best": 3}, interval=0.9)
    assert freshness.network_outdated(study, list(SWEEPS), None) == []
    studies.keyed(study, choose={"best": 2}, interval=0.8)
    assert freshness.network_outdated(study, list(SWEEPS), None) == ["choose.best", "interval"]
    assert freshness.shown_outdated(study, ["sizes"]) == ["choose.best", "interval"]
    assert freshness.outdated(study, ["sizes"]) == [], "the networks themselves are what they were"


# ---- params.yaml and the rows


def test_rows_for_calibration_are_in_no_other_split(study: Paths) -> None:
    dataset = data.load(study)
    assert dataset.calibration is not None
    splits = (dataset.train, dataset.validation, dataset.test, dataset.calibration)
    assert [len(split.x) for split in splits] == [150, 60, 60, 30]
    assert sorted(np.concatenate([split.rows for split in splits])) == list(range(1, 301))
    table = studies.throws().iloc[dataset.calibration.rows - 1]
    np.testing.assert_array_equal(np.hstack([dataset.calibration.x, dataset.calibration.y]), table)
    assert not (study.data / "calibration.parquet").exists()


@pytest.mark.parametrize(
    ("keys", "block", "message"),
    [
        ({"interval": 0.9}, {}, "interval: found 0.9, but no rows to calibrate it on; allowed: data.source: file and a "
         "share data.fractions.calibration (such as 0.1); or no interval"),
        ({"interval": 0.9}, {"source": "function", "fractions": FRACTIONS}, "interval: found 0.9, but no rows to "
         "calibrate it on; allowed: data.source: file and a share data.fractions.calibration (such as 0.1); or no "
         "interval"),
        ({"interval": 1.0}, {"fractions": FRACTIONS}, "interval: found 1.0; allowed: a number above 0, below 1"),
        ({"choose": {"best": 0}}, {}, "choose: found {'best': 0}; allowed: network, cell, or {best: N}, N a whole "
         "number of 1 or more"),
        ({"choose": "cells"}, {}, "choose: found 'cells'; allowed: network, cell, or {best: N}, N a whole number of 1 "
         "or more"),
        ({}, {"fractions": FRACTIONS | {"test": 0.3}}, "data.fractions: found {'train': 0.5, 'validation': 0.2, "
         "'test': 0.3, 'calibration': 0.1}; allowed: train, validation, test, calibration that sum to 1"),
        ({}, {"fractions": FRACTIONS | {"test": 0.2999, "calibration": 0.0001}}, "data.fractions: found "
         "input/example.csv with 300 rows: 150 to train on, 60 to validate, 0 to calibrate, 90 to test; allowed: at "
         "least 2, 1, 1 and 1; add rows or change the fractions"),
    ],
)  # fmt: skip
def test_faults_of_what_is_asked(tmp_path: Path, keys: dict[str, Any], block: dict[str, Any], message: str) -> None:
    paths = studies.write(tmp_path, {"sizes": studies.SIZES}, **({"source": "file"} | block))
    studies.keyed(paths, **keys)
    with pytest.raises(ConfigError) as refusal:
        data.build(config.load(paths), paths)
    assert str(refusal.value) == f"params.yaml: {message}"
