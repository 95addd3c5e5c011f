"""A table of three classes through all stages, and what is said and answered of it."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.kernels.ensemble import predict as outputs_of
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import config, data, store
from shoal.pipeline.classes import Classes
from shoal.pipeline.paths import Paths
from shoal.pipeline.report import figures, results_page, sections
from shoal.pipeline.report.claims.classes import MOST_CLASSES, class_blocks, class_plots
from shoal.pipeline.report.document.blocks import Table
from shoal.pipeline.report.plots import plots
from shoal.pipeline.report.study import CHOSEN
from shoal.pipeline.stages import gradcheck
from shoal.pipeline.stages.report import load
from shoal.pipeline.study.check import check
from shoal.pipeline.terminal import cli
from shoal.pipeline.tracking.model import read_chosen
from shoal.pipeline.tracking.records import Records, definitions
from shoal.pipeline.tracking.state import read_states
from shoal.pipeline.tracking.tags import Provenances
from tests import naive, studies
from tests.datasets import has, written

Captured = pytest.CaptureFixture[str]
SWEEP = {"activation": "tanh", "depth": 1, "width": [3, 4], "optimizer": "adam", "learning_rate": 0.05, "steps": 60}
LABELS = ["ash", "elm", "oak"]
ADDED = ["tree_predicted", *(f"tree_probability_{label}" for label in LABELS), "tree_spread"]


def trees() -> pd.DataFrame:
    """75 rows: the tree follows from the bark but for every seventh row, where it follows from the height."""
    i = np.arange(75)
    kind = np.where(i % 7 == 0, i // 7, i) % 3
    bark = np.array(["grey", "brown", "dark"])[i % 3]
    return pd.DataFrame({"bark": bark, "height": kind + (i % 5) / 10, "tree": np.array(LABELS)[kind]})


def described(root: Path, sweep: dict[str, Any], **keys: Any) -> Paths:
    """A study of the trees that has not run."""
    table = {"source": "file", "path": "t.csv", "targets": ["tree"], "task": "classification"}
    return studies.keyed(studies.write(written(root, trees()), {"wood": sweep}, **table), **keys)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    root = tmp_path_factory.mktemp("trees")
    paths = described(root, SWEEP | {"replicates": 2}, choose="cell")
    studies.train(paths, ["wood"])
    gradcheck.run(paths)
    studies.evaluate.run(paths)
    studies.predict.run(paths)
    return paths


def test_networks_are_trained_on_the_cross_entropy_of_the_classes(study: Paths) -> None:
    dataset, runs = data.load(study), store.read_runs(study, ["wood"])
    assert store.read_json(study.data / "data.json")["classes"] == LABELS == list(dataset.classes.labels)
    own = trees()["tree"].to_numpy()
    for split in (dataset.train, dataset.validation, dataset.test):
        assert (np.array(LABELS)[split.y.argmax(axis=1)] == own[split.rows - 1]).all() and (
            split.y.sum(axis=1) == 1
        ).all()
    assert runs["loss"].tolist() == ["cross_entropy"] * 4
    run, weights = runs.iloc[0], store.read_weights(study, "wood")
    logits = outputs_of(
        Architecture.parse(run["architecture"]), weights[run["network_id"]], dataset.inputs(dataset.train)
    )
    costs = -np.log((naive.softmax(logits) * dataset.train.y).sum(axis=1))
    assert run["train_cost"] == pytest.approx(costs.mean(), rel=1e-9)


def test_what_was_chosen_has_the_names_of_its_errors(study: Paths) -> None:
    choice, table = store.read_json(study.chosen), pd.read_csv(study.test_predictions)
    assert list(table) == ["row", "bark", "height", "tree", *ADDED]
    ensemble = choice["ensemble"]
    assert ensemble["test_accuracy"] == pytest.approx((table["tree"] == table["tree_predicted"]).mean())
    of_true = [row[f"tree_probability_{row['tree']}"] for _, row in table.iterrows()]
    assert ensemble["test_log_loss"] == pytest.approx(-np.log(of_true).mean(), rel=1e-9)
    networks = store.read_table(study.networks)
    assert {"test_accuracy", "validation_balanced_accuracy"} < {*networks} and "test_roc_auc" not in networks
    metrics = json.loads(study.metrics("wood").read_text(encoding="utf-8"))
    assert set(metrics["best"]) == {"test_log_loss", "log10_test_log_loss"}
    every = store.read_table(study.all_cells)
    assert every["target"].unique().tolist() == [f"tree={label}" for label in LABELS]


def test_new_rows_are_answered_alike_by_the_terminal_and_the_served_model(
    study: Paths, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(study.root)
    new = trees().drop(columns="tree").head(4)
    new.to_csv("new.csv", index=False)
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", "new.csv", "--output", "out.csv"])
    assert end.value.code == 0
    out = pd.read_csv("out.csv")
    assert list(out) == ["row", "bark", "height", *ADDED]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about type hints
        from shoal.pipeline.tracking.served import ServedNetwork
    served, chosen = ServedNetwork(), read_chosen(study, store.read_json(study.chosen))
    served.predictor, served.columns = chosen.predictor, chosen.outputs
    served.preparation = chosen.predictor.prepared
    answer = served.predict(None, new)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(answer, out[ADDED], check_dtype=False, check_exact=True)
    assert [column.type.name for column in chosen.types] == ["string", *["double"] * 4]
    assert chosen.kind == "classifier"


def test_mlflow_has_the_names_of_the_task(study: Paths) -> None:
    [state] = read_states(study, ["wood"], "network")
    assert "the mean of -log of the probability of the true class over samples, in nats" in definitions(state)
    record = Records(study, state).of(state.keys[1])
    assert {"test_log_loss", "test_accuracy", "test_accuracy_q1", "train_cross_entropy"} < set(record.metrics)
    assert set(record.curves) >= {"cross_entropy"}
    network = Records(study, state).of(state.keys[2])
    assert {"test_log_loss", "validation_balanced_accuracy", "train_cross_entropy"} < set(network.metrics)
    types = {column["name"]: column["type"] for column in Provenances(study).data.columns}
    assert types == {"bark": "string", "height": "double", "tree": "string"}


def test_the_report_is_in_measures_of_classes(study: Paths, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    found = load(study)
    page = results_page(found)
    for part in (
        "The ensemble predicts tree with a log loss of ",
        "(log loss on the 15 test rows); the class prior's is 1.10, logistic regression's ",
        "Its accuracy is ",
        "Confusion matrix of the ensemble",
        "Calibration of the ensemble on the 15 test rows",
        "trained by Adam on cross_entropy.",
    ):
        assert part in page
    assert [plot.path for plot in plots(found.sweeps[0])] == ["wood/test_log_loss", "wood/learning_curves"]
    assert figures(found) == [plot for section in sections(found) for plot in section.plots]
    monkeypatch.chdir(study.root)
    with pytest.raises(SystemExit):
        cli.main(["show", "wood"])
    shown = capsys.readouterr().out
    assert "log loss on 15 test rows" in shown and "prior" in shown


def test_tables_of_classes_count_rows_and_are_bounded() -> None:
    rng, n = np.random.default_rng(0), MOST_CLASSES + 3
    true, p = rng.integers(0, n, 300), rng.dirichlet(np.full(n, 0.1), 300)
    true[true < 2] = 5  # of which no row is left
    dataset = SimpleNamespace(classes=Classes(tuple(range(n))), test=SimpleNamespace(y=np.eye(n)[true]))
    found: Any = SimpleNamespace(dataset=dataset, y_hats={CHOSEN: {"test": p}}, answering=CHOSEN)
    matrix, calibration = class_blocks(found)
    assert isinstance(matrix, Table) and isinstance(calibration, Table)
    shown, pairs = matrix.header[1:], list(zip(true.tolist(), p.argmax(axis=1).tolist(), strict=True))
    assert len(shown) == MOST_CLASSES + 1 and shown[-1] == "3 others" and not {"0", "1"} & {*shown}
    assert matrix.rows[shown.index("5")][1:][shown.index("7")] == str(pairs.count((5, 7)))
    assert sum(int(cell) for row in matrix.rows for cell in row[1:]) == 300
    some = [(row.max(), a == b) for (a, b), row in zip(pairs, p, strict=True) if 0.4 <= row.max() < 0.5]
    [row] = [row for row in calibration.rows if row[0] == "0.4 to 0.5"]
    assert row[1:4] == [str(len(some)), *(f"{mean:.3f}" for mean in np.mean(some, axis=0))]
    assert sum(int(row[1]) for row in calibration.rows) == 300


@pytest.mark.parametrize("true", [[0, 1, 1, 0, 1], [1, 1, 1, 1, 1]])
def test_two_classes_have_a_curve_where_both_occur(true: list[int]) -> None:
    p = np.array([0.1, 0.4, 0.8, 0.4, 0.9])
    y_hat, y = np.stack([1 - p, p], axis=1), np.eye(2)[true]
    dataset = SimpleNamespace(classes=Classes(("no", "yes")), test=SimpleNamespace(y=y))
    y_hats = {name: {"test": y_hat} for name in (CHOSEN, "logistic")}
    found: Any = SimpleNamespace(dataset=dataset, y_hats=y_hats, answering=CHOSEN)
    calibration, *curves = class_plots(found)
    assert "share that is yes against probability of yes" in calibration.caption
    assert [curve.path for curve in curves] == (["roc"] if 0 in true else [])
    for curve in curves:
        label, _ = (text.get_text() for text in curve.drawing.figure().axes[0].get_legend().get_texts())
        assert label == f"{CHOSEN}, ROC AUC 0.917"


@pytest.mark.parametrize(
    ("sweep", "keys", "message"),
    [
        ({"loss": "huber"}, {}, "sweeps.wood.loss: found 'huber'; allowed: cross_entropy, as targets are classes"),
        ({}, {"interval": 0.9}, "interval: found 0.9; allowed: nothing, as data.task is classification, where prob"),
        (
            {"optimizer": "ridge", "alpha": 1.0},
            {},
            "sweeps.wood.optimizer: found ridge; allowed: gd, momentum, nesterov, adagrad, rmsprop, adam, adamw, as",
        ),
    ],
)
def test_what_is_for_numbers_alone_is_refused(
    sweep: dict[str, Any], keys: dict[str, Any], message: str, tmp_path: Path
) -> None:
    taken = ("activation", "depth", "width") if "optimizer" in sweep else tuple(SWEEP)
    paths = described(tmp_path, {key: SWEEP[key] for key in taken} | sweep, **keys)
    assert has(list(map(str, check(paths).faults)), f"params.yaml: {message}")


def test_the_loss_may_be_written_out(tmp_path: Path) -> None:
    plain = config.load(described(tmp_path, SWEEP))
    assert config.load(described(tmp_path, SWEEP | {"loss": "cross_entropy"})).sweeps == plain.sweeps
    assert plain.sweeps["wood"].listed == {"width"}
