"""The errors that evaluation reports, and the one that decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import data, store
from shoal.pipeline.paths import Paths
from shoal.pipeline.report.result_tables import number
from shoal.pipeline.stages import evaluate
from shoal.pipeline.statistics.errors import LARGEST, best_cell, deciding
from shoal.pipeline.statistics.intervals import few_rows
from shoal.pipeline.tasks.regression import MSE, SCORE
from shoal.pipeline.terminal import cli
from shoal.pipeline.terminal.show import title_of
from tests import studies

RIDGE: dict[str, Any] = {"optimizer": "ridge", "alpha": 1e-3, "depth": 1, "width": 12, "replicates": 10}


def tabled(root: Path, columns: dict[str, np.ndarray], sweeps: dict[str, Any], **keys: Any) -> Paths:
    """A study of a table of one's own, run up to predict; all columns but x are targets."""
    (root / "input").mkdir(exist_ok=True)
    pd.DataFrame(columns).to_csv(root / "input" / "own.csv", index=False)
    targets = [name for name in columns if name != "x"]
    return studies.complete(root, sweeps, source="file", path="input/own.csv", targets=targets, **keys)


def unlike(n: int = 120) -> dict[str, np.ndarray]:
    """A straight line around 1e5 with noise, which tanh fits no better than a line, and a wave of 1e-4."""
    x = np.linspace(-1, 1, n)
    noise = np.random.default_rng(3).normal(0, 1500, n)
    return {"x": x, "pressure": 1e5 + 8e3 * x + noise, "flow": 1e-4 * np.sin(5 * x)}


# ---- targets of unlike units


@pytest.mark.parametrize("standardise", [True, False])
def test_a_score_is_the_mean_over_targets_of_mse_over_variance_on_the_training_rows(
    tmp_path: Path, standardise: bool
) -> None:
    paths = tabled(tmp_path, unlike(), {"ridge": RIDGE | {"activation": "tanh"}}, standardise=standardise)
    networks = store.read_table(paths.networks)
    dataset = data.load(paths)
    variances = pd.read_parquet(paths.data / "train.parquet")[["pressure", "flow"]].var(ddof=0).to_numpy()
    for _, network in networks.iterrows():
        stored = store.load_network(paths, ["ridge"], network["network_id"])
        for name in ("train", "validation", "test"):
            split = getattr(dataset, name)
            z = studies.forward(str(stored.architecture), stored.params, dataset.x_scaling.apply(split.x))
            squares = (z * dataset.y_scaling.scale + dataset.y_scaling.mean - split.y) ** 2
            assert network[f"{name}_score"] == pytest.approx((squares.mean(axis=0) / variances).mean(), rel=1e-8)
            assert network[f"{name}_error"] == pytest.approx(squares.mean(), rel=1e-8)
        of_targets = network[["test_error_pressure", "test_error_flow"]].to_numpy(float)
        assert of_targets == pytest.approx(squares.mean(axis=0), rel=1e-6)


def test_the_small_target_has_its_say_in_choice_tests_and_claims(tmp_path: Path) -> None:
    """By the mse a straight line is as good as anything: it follows the pressure, and no one sees the flow."""
    sweeps = {"both": RIDGE | {"activation": ["linear", "tanh"]}}
    paths = tabled(tmp_path, unlike(), sweeps)
    networks = store.read_table(paths.networks)
    by_mse, chosen = networks.loc[networks["validation_error"].idxmin()], store.read_json(paths.chosen)
    assert by_mse["cell"] == "linear-d1-w012"
    assert chosen["cell"] == "tanh-d1-w012"
    best = networks.loc[networks["validation_score"].idxmin()]
    assert chosen["network_id"] == best["network_id"]
    assert [chosen[name] for name in ("validation_score", "test_score")] == [
        best[name] for name in ("validation_score", "test_score")
    ]
    table = pd.read_csv(paths.test_predictions)
    for target in ("pressure", "flow"):
        r2 = 1 - ((table[f"{target}_predicted"] - table[target]) ** 2).mean() / table[target].var(ddof=0)
        reachable = 1 - networks[f"test_error_{target}"].min() / table[target].var(ddof=0)
        assert r2 > reachable - 0.02
    [contrast] = store.read_table(paths.contrasts).to_dict("records")
    assert (contrast["a"], contrast["verdict"], contrast["b_smaller"]) == ("linear-d1-w012", "b beats a", 10)
    metrics = store.read_json(paths.metrics("both"))
    assert metrics["best_cell"] == "tanh-d1-w012"
    of_best = networks[networks["cell"] == "tanh-d1-w012"]
    assert metrics["best"]["test_score"]["median"] == of_best["test_score"].median()
    assert metrics["best"]["test_mse"]["median"] == of_best["test_error"].median()
    title = title_of("both", store.read_table(paths.cells))
    assert "test score = mean over targets of mse / variance of the target on the training rows" in title


SCOPE = "over random starts on this one split of the data; it does not say how the error varies with other rows."
FEW = "Errors and claims rest on 24 test rows only (fewer than 30): on other rows they may well differ."


def test_terminal_and_report_speak_of_the_score_and_of_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = tabled(tmp_path, unlike(), {"both": RIDGE | {"activation": ["linear", "tanh"]}})
    studies.without_gradcheck(paths)
    monkeypatch.chdir(tmp_path)
    for words in (["show"], ["compare", "linear-d1-w012", "tanh-d1-w012"]):
        with pytest.raises(SystemExit) as end:
            cli.main(words)
        out = capsys.readouterr().out
        assert end.value.code == 0
        definition = "test score = mean over targets of mse / variance of the target on the training rows"
        assert definition in " ".join(out.split())
        assert SCOPE in out and FEW in out
        assert "test mse" not in out
    assert "B has the smaller" not in out and "A has the smaller test score in 0, B in 10; typically score A / " in out
    studies.report_undrawn(paths)
    page = (paths.docs / "results.md").read_text(encoding="utf-8")
    networks = store.read_table(paths.networks)
    median = networks.loc[networks["cell"] == "tanh-d1-w012", "test_score"].median()
    assert f"| both | 20 | 0 | tanh-d1-w012 | {number(median)} [" in page
    assert "its test score, median [quartiles]" in page and "'Beats' means a smaller test score over 10 pairs" in page
    assert "score = (1/K)" in page and SCOPE in page and FEW in page
    network = networks.set_index("network_id").loc[store.read_json(paths.chosen)["network_id"]]
    for target, scale in zip(("pressure", "flow"), data.load(paths).error_scale, strict=True):
        mse = network[f"test_error_{target}"]
        assert f"| {target} | {number(mse)} | {number(scale**2)} | {number(mse / scale**2)} |" in page


def test_thirty_test_rows_are_not_few() -> None:
    assert few_rows(30) == ""
    assert few_rows(1) == FEW.replace("24 test rows", "1 test row")


def test_names_of_targets_clash_with_no_statistic(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 40)
    columns = {"x": x, "median": x**2, "score": 3 + x}
    paths = tabled(tmp_path, columns, {"ridge": RIDGE | {"activation": "tanh"}})
    cells, networks = store.read_table(paths.cells), store.read_table(paths.networks)
    assert cells.columns.is_unique and networks.columns.is_unique
    assert cells["test_error_median"][0] == networks["test_error"].median()
    assert list(networks)[-2:] == ["test_error_median", "test_error_score"]
    assert networks["test_score"].to_numpy() == pytest.approx(
        ((networks["test_error_median"] / data.load(paths).error_scale[0] ** 2)
         + networks["test_error_score"] / data.load(paths).error_scale[1] ** 2) / 2
    )  # fmt: skip


def test_a_constant_target_counts_in_its_own_units(tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 40)
    paths = tabled(
        tmp_path, {"x": x, "level": np.full(40, 7.5), "wave": np.sin(3 * x)}, {"ridge": RIDGE | {"activation": "tanh"}}
    )
    networks, scale = store.read_table(paths.networks), data.load(paths).error_scale
    assert scale[0] == 1
    expected = (networks["test_error_level"] + networks["test_error_wave"] / scale[1] ** 2) / 2
    assert networks["test_score"].to_numpy() == pytest.approx(expected)


def test_with_one_target_the_mse_decides(tmp_path: Path) -> None:
    paths = studies.complete(tmp_path, {"ridge": studies.RIDGE})
    for table in (store.read_table(paths.networks), store.read_table(paths.cells)):
        assert deciding(table) == MSE
        assert not [name for name in table if "score" in name]
    assert set(store.read_json(paths.metrics("ridge"))["all"]) == {"test_mse", "log10_test_mse"}


# ---- 0 and infinity


def test_an_error_beyond_float64_is_no_divergence(tmp_path: Path) -> None:
    """Predictions of 1e160 have squares beyond float64; the network is there, and predicts."""
    paths = studies.train(studies.write(tmp_path, {"ridge": studies.RIDGE}), ["ridge"])
    weights = store.read_table(paths.weights("ridge"))
    weights["params"] = [params * (1e160 if n == 0 else 1) for n, params in enumerate(weights["params"])]
    store.write_table(paths.weights("ridge"), weights)
    evaluate.run(paths)
    networks, cells = store.read_table(paths.networks), store.read_table(paths.cells)
    assert list(networks.loc[0, MSE.columns]) == [LARGEST] * 3
    assert np.isfinite(networks[MSE.columns]).all(axis=None)
    assert list(cells["n_diverged"]) == [0, 0]
    assert cells["log10_test_error_max"][0] == 308


def test_the_best_cell_may_be_exact_and_is_none_where_all_medians_are_infinite() -> None:
    def cells(*medians: float) -> pd.DataFrame:
        return pd.DataFrame({"error": "mse", "validation_error_median": medians, "test_error_median": medians})

    assert best_cell(cells(np.inf, 1.0, 0.0)) == 2
    assert best_cell(cells(np.inf, np.inf)) is None
    scored = cells(1.0, 2.0).assign(validation_score_median=[4.0, 3.0], test_score_median=0.0)
    assert (deciding(scored), best_cell(scored)) == (SCORE, 1)
