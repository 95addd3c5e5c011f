"""Rows in folds: what networks see, what is said of them out of fold, and what answers; against scikit-learn."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler

from shoal.kernels.ensemble import train_on
from shoal.kernels.entropy import stream
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import config, data, store
from shoal.pipeline.baselines import ridge
from shoal.pipeline.config import ConfigError
from shoal.pipeline.cv_plus import OutOfFold, rank
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Predictor
from shoal.pipeline.stages import data as data_stage
from shoal.pipeline.stages import evaluate, gradcheck, predict, report, sweep
from shoal.pipeline.statistics import resampled
from shoal.pipeline.statistics.intervals import interquartile_mean
from shoal.pipeline.store.entries import Store
from shoal.pipeline.study import ahead
from shoal.pipeline.study.grid import cells
from shoal.pipeline.terminal.show import show
from shoal.pipeline.tracking import track
from tests import naive, studies
from tests.datasets import MIXED, assert_identical, build, configure, faults, houses, written
from tests.made_up import copy_store

FOLDS, REPEATS = 3, 2
N = FOLDS * REPEATS
SPLITS = {"kind": "kfold", "folds": FOLDS, "repeats": REPEATS}
IN_FOLDS = {"fractions": {"test": 0.2}, "splits": SPLITS}
SWEEP = {"activation": ["relu", "tanh"], "depth": 1, "width": 3, "learning_rate": 0.1, "steps": 12, "replicates": 2}
NAMES, TARGET = ["speed_m_s", "angle_deg"], "range_m"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """Numbers alone, 60 rows of which 48 are in folds."""
    root = tmp_path_factory.mktemp("study")
    paths = studies.write(root, {"s": SWEEP}, source="file", targets=[TARGET], ignore=["height_m"], **IN_FOLDS)
    studies.throws().head(60).to_csv(root / "input" / "example.csv", index=False)
    asked(paths, choose={"best": 1}, interval=0.8)
    sweep.run(paths, "s")
    evaluate.run(paths)
    predict.run(paths)
    return paths


@pytest.fixture
def study(made: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return studies.copied(made, tmp_path, monkeypatch)


def asked(paths: Paths, **keys: Any) -> None:
    """Run the data stage with these keys of params.yaml."""
    data_stage.run(studies.keyed(paths, **keys))


def pool_and_test(paths: Paths) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_parquet(paths.data / "train.parquet"), pd.read_parquet(paths.data / "test.parquet")


def splits(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and rows held out by scikit-learn's KFold of each repeat's order."""
    found = []
    for repeat in range(REPEATS):
        order = stream(0, "folds", repeat).permutation(n)
        found += [(np.sort(order[a]), np.sort(order[b])) for a, b in KFold(FOLDS).split(order)]
    return found


def trained(network: pd.Series, train: pd.DataFrame) -> Callable[[pd.DataFrame], np.ndarray]:
    """Predictions (n,) of a network trained in plain NumPy on what StandardScaler makes of these rows."""
    scaler, target = StandardScaler().fit(train[NAMES].to_numpy()), StandardScaler().fit(train[[TARGET]].to_numpy())
    architecture = Architecture.parse(network["architecture"])
    (W1, b1), (W2, b2) = naive.initial_weights(architecture, 2, 9001, network["replicate"])
    name = str(architecture).split(" > ")[1]
    x, y = scaler.transform(train[NAMES].to_numpy()), target.transform(train[[TARGET]].to_numpy())
    for _ in range(SWEEP["steps"]):
        z = x @ W1.T + b1
        dz2 = (naive.sigma(name, z) @ W2.T + b2 - y) / len(x)
        dz1 = dz2 @ W2 * naive.sigma_prime(name, z)
        W2, b2 = W2 - 0.1 * dz2.T @ naive.sigma(name, z), b2 - 0.1 * dz2.sum(axis=0)
        W1, b1 = W1 - 0.1 * dz1.T @ x, b1 - 0.1 * dz1.sum(axis=0)

    def predict(rows: pd.DataFrame) -> np.ndarray:
        z = naive.sigma(name, scaler.transform(rows[NAMES].to_numpy()) @ W1.T + b1) @ W2.T + b2
        return np.asarray(target.inverse_transform(z))[:, 0]

    return predict


def test_errors_are_those_of_scikit_learns_folds_and_plain_numpy(made: Paths) -> None:
    pool, test = pool_and_test(made)
    networks = store.read_table(made.networks).merge(store.read_table(made.runs("s"))[["network_id", "architecture"]])
    assert list(networks["fold"]) == [*range(N)] * 4
    assert list(networks["replicate"]) == [*range(2 * N)] * 2
    for _, network in networks[::3].iterrows():
        train, held_out = (pool.iloc[rows] for rows in splits(len(pool))[network["fold"]])
        y_hat = trained(network, train)
        for split, rows in (("train", train), ("validation", held_out), ("test", test)):
            mse = np.mean((y_hat(rows) - rows[TARGET]) ** 2)
            assert network[f"{split}_error"] == pytest.approx(mse, rel=1e-9)


def test_what_answers_is_the_mean_over_folds_and_is_judged_out_of_fold(made: Paths) -> None:
    pool, test = pool_and_test(made)
    choice, y_hat, held = store.read_json(made.chosen), np.zeros(len(test)), np.zeros(len(pool))
    networks = store.read_table(made.networks).assign(set=lambda table: table["replicate"] // N)
    means = networks.groupby(["cell", "set"])["validation_error"].mean()
    members = pd.DataFrame(choice["ensemble"]["networks"])
    assert {*zip(members["cell"], members["replicate"] // N, strict=True)} == {means.idxmin()}
    runs = store.read_table(made.runs("s")).set_index("network_id")
    for member in choice["ensemble"]["networks"]:
        rows, held_out = splits(len(pool))[member["fold"]]
        own = trained(runs.loc[member["network_id"]], pool.iloc[rows])
        y_hat += own(test) / N
        held[held_out] += own(pool.iloc[held_out]) / REPEATS
    assert choice["ensemble"]["validation_mse"] == pytest.approx(np.mean((held - pool[TARGET]) ** 2), rel=1e-9)
    assert choice["ensemble"]["test_mse"] == pytest.approx(np.mean((y_hat - test[TARGET]) ** 2), rel=1e-9)
    table = pd.read_csv(made.test_predictions)
    np.testing.assert_allclose(table[f"{TARGET}_predicted"], y_hat, rtol=1e-9)
    inside = (table[f"{TARGET}_low"] <= test[TARGET]) & (test[TARGET] <= table[f"{TARGET}_high"])
    assert choice["interval"]["coverage"] == {TARGET: inside.mean()}
    np.testing.assert_allclose(
        choice["interval"]["out_of_fold"]["residuals"], np.abs(held - pool[TARGET].to_numpy())[:, None]
    )


def test_bits_are_those_of_a_call_for_each_fold(made: Paths) -> None:
    settings, dataset = config.load(made), data.load(made)
    weights, runs = store.read_weights(made, "s"), store.read_table(made.runs("s"))
    specs = [spec for cell in cells(settings.sweep("s"), 1, dataset.n_train) for spec in cell.specs(N)]
    for fold, part in enumerate(dataset.folds):
        own = [i for i, spec in enumerate(specs) if spec.replicate % N == fold]
        samples = sweep.samples(part, is_validated=False)
        found = train_on([specs[i] for i in own], [samples], [0] * len(own), seed=9001)
        for i, result in zip(own, found, strict=True):
            assert weights[runs["network_id"][i]].tobytes() == result.params.tobytes()


def test_what_is_new_is_trained_and_told_on_its_own_fold(study: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replicate more on each fold gives the files of a study without a store, and the best so far is the best."""
    asked(study, sweeps={"s": SWEEP | {"replicates": 3}})
    found = ahead.of_study(config.load(study), data.load(study), Store(study.store), print)["s"]
    facts = sweep.run(study, "s")
    assert (found.networks, found.known) == (facts["networks"], facts["known"]) == (6 * N, 4 * N)
    new, files = facts["gflop"], studies.files(study.results)
    shutil.rmtree(study.store)
    told = studies.watched(monkeypatch)
    assert sweep.run(study, "s")["gflop"] == pytest.approx(3 * new, abs=2e-6)
    assert studies.files(study.results) == files
    evaluate.run(study)
    assert told[0].best == pytest.approx(store.read_table(study.networks)["validation_error"].min(), rel=1e-12)


def test_baselines_go_through_the_same_folds(made: Paths) -> None:
    pool, test = pool_and_test(made)
    table = store.read_table(made.baselines).set_index("baseline")
    constants = [pool[TARGET].iloc[rows].mean() for rows, _ in splits(len(pool))]
    held, y_hat = np.zeros(len(pool)), np.zeros(len(test))
    for (rows, held_out), constant in zip(splits(len(pool)), constants, strict=True):
        held[held_out] += constant / REPEATS
        scaler = StandardScaler().fit(pool[NAMES].iloc[rows])
        parts = [
            (scaler.transform(pool.iloc[own][NAMES]), pool.iloc[own][[TARGET]].to_numpy()) for own in (rows, held_out)
        ]
        y_hat += ridge.fit(*parts[0], *parts[1]).predict(scaler.transform(test[NAMES]))[:, 0] / N
    assert table.at["constant", "validation_error"] == pytest.approx(np.mean((held - pool[TARGET]) ** 2))
    assert table.at["constant", "test_error"] == pytest.approx(np.mean((np.mean(constants) - test[TARGET]) ** 2))
    assert table.at["ridge", "test_error"] == pytest.approx(np.mean((y_hat - test[TARGET]) ** 2))


def test_cells_and_contrasts_are_judged_over_splits(made: Paths) -> None:
    networks, table = store.read_table(made.networks), store.read_table(made.cells).set_index("cell")
    by_split = {
        cell: [interquartile_mean(np.log10(own["validation_error"].to_numpy()[fold::N])) for fold in range(N)]
        for cell, own in networks.groupby("cell", sort=False)
    }
    for cell, values in by_split.items():
        ends = resampled.interval(np.array(values), 1 / (FOLDS - 1))
        columns = [f"log10_validation_error_iqm{end}" for end in ("", "_low", "_high")]
        assert list(table.loc[cell, columns]) == pytest.approx([np.mean(values), *ends])
    [contrast] = store.read_table(made.contrasts).to_dict("records")
    a, b = (networks[networks["cell"] == contrast[side]]["validation_error"].to_numpy() for side in "ab")
    d = np.log10(a / b)
    means = np.array([d[fold::N].mean() for fold in range(N)])
    wide = means.mean() / np.sqrt((1 / N + 1 / (FOLDS - 1)) * means.var(ddof=1))
    assert contrast["p"] == pytest.approx(2 * stats.t.sf(abs(wide), N - 1))
    assert contrast["verdict"] != store.UNTESTABLE


@pytest.mark.parametrize("choose", ["network", "cell", {"best": 2}])
def test_whatever_is_chosen_has_networks_of_every_fold(study: Paths, choose: Any) -> None:
    asked(study, choose=choose)
    predict.run(study)
    choice = store.read_json(study.chosen)
    n = N if choose == "network" else 2 * N
    assert sorted(member["fold"] for member in choice["ensemble"]["networks"]) == sorted([*range(N)] * (n // N))
    predictor, dataset = store.load_chosen(study, choice), data.load(study)
    assert f"the mean of the {n} networks" in choice["ensemble"]["why"]
    y_hat = predictor.table(predictor.inputs(dataset.features(dataset.test)))
    for name, column in pd.read_csv(study.test_predictions)[predictor.columns].items():
        np.testing.assert_array_equal(column, y_hat[str(name)])


def test_where_a_fold_has_no_network_left_nothing_is_chosen(study: Paths) -> None:
    networks = store.read_table(study.networks)
    networks.loc[networks["fold"] == 4, ["status", "validation_error"]] = "diverged", np.inf
    store.write_table(study.networks, networks)
    for choose in ("network", "cell"):
        asked(study, choose=choose)
        predict.run(study)
        assert store.read_json(study.chosen) is None


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_every_stage_and_command_takes_folds(study: Paths, blank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gradcheck.run(study)
    report.run(study)
    text = study.report.read_text(encoding="utf-8")
    assert "6 splits of the rows" in text
    assert "computed anew" in text
    assert "they agree" in text
    show(study, ["s"])
    out = " ".join(capsys.readouterr().out.split())
    assert "s: validation mse = " in out
    assert "over 6 splits" in out
    assert "by CV+ from 48 rows that folds hold out: of the 12 test rows" in out
    copy_store(blank, study.root / "mlflow.db")
    track(study, ["s"])
    [folder] = (study.root / "mlartifacts" / "s" / "models").iterdir()
    table = pd.read_csv(study.test_predictions)
    served = mlflow.pyfunc.load_model(str(folder / "artifacts")).predict(table)
    pd.testing.assert_frame_equal(served, table[served.columns], check_exact=True)


# ---- the data


def leaky(table: pd.DataFrame, target: pd.Series, rows: np.ndarray) -> pd.DataFrame:
    """The table with the answer in these rows (from 1) of every column, as a number, as text, or as a gap."""
    other, places = table.copy(), rows - 1
    other.loc[places, "rooms"] = target.loc[places]
    other.loc[places, "kind"] = np.where(target.loc[places].astype(float) > 30, "dear", "cheap")
    other.loc[places[::2], "rooms"] = ""
    return other


def test_what_a_fold_holds_out_changes_nothing_that_is_fitted_to_it(tmp_path: Path) -> None:
    keys = MIXED | IN_FOLDS
    before = build(written(tmp_path, houses()), **keys)
    for i, fold in enumerate(before.folds):
        unseen = np.concatenate([fold.validation.rows, before.test.rows])
        after = build(written(tmp_path, leaky(houses(), houses()["price"], unseen)), **keys).folds[i]
        assert after.preparation == fold.preparation
        for name in ("x_scaling", "y_scaling"):
            assert getattr(after, name).to_json() == getattr(fold, name).to_json()
        assert after.data_hash == fold.data_hash
        assert after.validation_hash != fold.validation_hash


def test_test_rows_have_no_say_in_networks_choice_and_intervals(tmp_path: Path) -> None:
    """Nor have their answers in any feature."""
    small, found = {"s": SWEEP | {"replicates": 1}}, []
    test = build(written(tmp_path, houses()), **MIXED, **IN_FOLDS).test.rows
    for name, table in (("a", houses()), ("b", leaky(houses(), houses()["price"], test))):
        (tmp_path / name).mkdir()
        paths = studies.write(tmp_path / name, small, source="file", path="t.csv", **(MIXED | IN_FOLDS))
        written(tmp_path / name, table)
        asked(paths, choose="cell", interval=0.8)
        sweep.run(paths, "s")
        evaluate.run(paths)
        predict.run(paths)
        networks, choice = store.read_table(paths.networks), store.read_json(paths.chosen)
        kept = networks[[column for column in networks if not column.startswith("test_")]]
        found.append((kept.to_json(), choice["ensemble"]["networks"], choice["interval"]["out_of_fold"]))
    assert found[0] == found[1]


def test_folds_are_kept_and_classes_are_spread_over_them(tmp_path: Path) -> None:
    table = houses().assign(kind=np.array(["flat", "house", "hut"])[np.arange(60) % 3])
    keys: dict[str, Any] = IN_FOLDS | {"targets": ["kind"], "task": "classification", "missing": MIXED["missing"]}
    paths = configure(written(tmp_path, table), id="name", **keys)
    dataset = data.build(config.load(paths), paths)
    data.save(dataset, paths)
    loaded = data.load(paths)
    assert_identical(dataset, loaded)
    for fold, other in zip(dataset.folds, loaded.folds, strict=True):
        assert_identical(fold, other)
        assert np.ptp(fold.validation.y.sum(axis=0)) <= 2
    rows = [fold.validation.rows.tolist() for fold in dataset.folds]
    for repeat in (rows[:FOLDS], rows[FOLDS:]):
        assert sorted(itertools.chain(*repeat)) == dataset.train.rows.tolist()
    assert not {*dataset.train.rows} & {*dataset.test.rows}


def test_a_study_of_classes_and_text_in_folds(tmp_path: Path) -> None:
    paths = studies.write(
        tmp_path, {"s": SWEEP | {"replicates": 1, "keep": "best"}}, source="file", path="t.csv", task="classification",
        **(MIXED | IN_FOLDS | {"targets": ["garden"]}),
    )  # fmt: skip
    written(tmp_path, houses().assign(kind=[*["flat", "house"] * 25, *(f"k{i}" for i in range(5)), *["hut"] * 5]))
    asked(paths, choose="cell")
    sweep.run(paths, "s")
    evaluate.run(paths)
    predict.run(paths)
    assert store.read_table(paths.runs("s"))["n_features"].nunique() > 1
    predictor = store.load_chosen(paths, store.read_json(paths.chosen))
    predictor.save(tmp_path / "network.json")
    dataset = data.load(paths)
    x = predictor.inputs(dataset.features(dataset.test))
    for one in (predictor, Predictor.load(tmp_path / "network.json")):
        table = one.table(x)
        total = table["garden_probability_false"] + table["garden_probability_true"]
        np.testing.assert_allclose(total.astype(float), 1)
        assert list(table["garden_predicted"]) == list(pd.read_csv(paths.test_predictions)["garden_predicted"])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}}, "data.splits: found {'kind'"),
        ({"splits": None}, "data.splits: found fractions with test alone, and no splits of kind kfold; allowed: sh"),
        ({"splits": {"kind": "kfold"}}, "data.splits: found {'kind': 'kfold'}; allowed: folds for kind kfold"),
        ({"splits": SPLITS | {"folds": 1}}, "data.splits.folds: found 1; allowed: a whole number of 2 or more"),
        ({"splits": SPLITS | {"column": "a"}}, "data.splits: found {'kind': 'kfold', 'folds': 3, 'repeats': 2, 'col"),
        ({"splits": {"kind": "ordered", "folds": 3}}, "data.splits: found {'kind': 'ordered', 'folds': 3}; allowed: "),
        ({"splits": SPLITS | {"folds": 9}}, "data.splits.folds: found t.csv with 10 rows: 8 for 9 folds, 2 to test;"),
        ({"path": None, "train": "t.csv", "test": "t.csv"}, "data: found train and test; allowed: path, a file"),
        ({"fractions": {"test": 0.01}}, "data.splits.folds: found t.csv with 10 rows: 10 for 3 folds, 0 to test; al"),
    ],
)  # fmt: skip
def test_what_keeps_rows_from_being_in_folds(keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    lines = "".join(f"{i},{i * i},{i % 7}\n" for i in range(10))
    [found, *_] = faults(tmp_path, f"a,b,c\n{lines}", **(IN_FOLDS | keys))
    assert found.startswith(f"params.yaml: {message}")


def test_a_class_that_a_fold_alone_has_is_named(tmp_path: Path) -> None:
    table = houses()
    dataset = build(written(tmp_path, table), **MIXED, **IN_FOLDS)
    table["kind"] = np.where(np.arange(60) == dataset.train.rows[0] - 1, "igloo", "hut")
    table.loc[::2, "kind"] = np.where(table["kind"] == "igloo", "igloo", "flat")[::2]
    keys: dict[str, Any] = IN_FOLDS | MIXED | {"targets": ["kind"], "task": "classification"}
    with pytest.raises(ConfigError, match="found 'igloo'; allowed: a class that rows to train on have"):
        build(written(tmp_path, table), **keys)


# ---- CV+


@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (30, 0.8)])
def test_ends_are_those_of_the_definition(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    residuals, folds, y_hats = rng.exponential(size=(n, 2)), np.arange(n)[:, None] % 3, rng.normal(size=(3, 5, 2))
    low, high = OutOfFold(residuals, folds, level).ends(y_hats)
    for i in range(5):
        for k in range(2):
            mu = y_hats[folds[:, 0], i, k]
            place = rank(n, level)
            assert high[i, k] == sorted(mu + residuals[:, k])[place - 1]
            assert low[i, k] == sorted(mu - residuals[:, k])[n - place]
    few: Callable[..., OutOfFold] = OutOfFold
    assert np.isnan(few(residuals[:3], folds[:3], 0.9).ends(y_hats)).all()


def test_they_hold_new_values() -> None:
    """Means of a fold's others as models: as often as asked, never less than 1 - 2 alpha - sqrt(2 / n)."""
    rng, n, level = np.random.default_rng(0), 40, 0.9
    folds, held = np.arange(n)[:, None] % 5, []
    for _ in range(300):
        y, new = rng.normal(size=n), rng.normal(size=20)
        mu = np.array([y[folds[:, 0] != fold].mean() for fold in range(5)])
        residuals = np.abs(y - mu[folds[:, 0]])[:, None]
        low, high = OutOfFold(residuals, folds, level).ends(np.tile(mu[:, None, None], (1, 20, 1)))
        held.append(((low[:, 0] <= new) & (new <= high[:, 0])).mean())
    assert np.mean(held) == pytest.approx(level, abs=0.03)
