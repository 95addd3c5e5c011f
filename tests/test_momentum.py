"""Momentum: its steps against the oracle, and its own number all the way from params.yaml to the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.kernels import ensemble
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import data, store
from shoal.pipeline.config import ConfigError, load
from shoal.pipeline.paths import Paths
from shoal.pipeline.stages import report
from shoal.pipeline.terminal.show import show
from shoal.pipeline.tracking.records import Records
from shoal.pipeline.tracking.state import read_states
from tests import naive, studies
from tests.problems import SEED, Problem, relative, tensors, unflat, worst

BLOCK = {"activation": ["relu", "tanh"], "depth": 1, "width": 3, "optimizer": "momentum", "learning_rate": 0.02}
BLOCK |= {"steps": 9, "replicates": 2}
SWEEPS = {
    "heavy": BLOCK | {"momentum": [0.5, 0.9]},
    "plain": BLOCK,
    "by_name": BLOCK | {"momentum": {"relu": 0, "tanh": 0.9}},
}
SWEEPS |= {"light": {key: value for key, value in BLOCK.items() if key != "optimizer"}}


# ---- the steps


@pytest.mark.parametrize("batch_size", [None, 1, 7, 50], ids=["full batch", "a sample", "in lanes", "a mini-batch"])
@pytest.mark.parametrize("momentum", [None, 0.5])
def test_steps_agree_with_the_oracle(momentum: float | None, batch_size: int | None) -> None:
    problem = Problem(Architecture.parse("(dense 4 | dense 5 > tanh > dense 4) > sigmoid > dense 2"), 90, 3, 1, 2)
    own = {} if momentum is None else {"momentum": momentum}
    optimizer, run = naive.Momentum(0.01, **own), (problem.architecture, problem.weights, problem.x, problem.y)
    if batch_size is None:
        weights, costs = naive.full_batch(*run, optimizer, 40)
    else:
        weights, costs = naive.minibatch(*run, optimizer, 40, batch_size, naive.shuffle_key(SEED, 2))
    keys = {"learning_rate": 0.01, "steps": 40, "batch_size": batch_size, "hypers": tuple(own.items())}
    light, heavy = (
        problem.spec(optimizer="momentum", **(keys | other)) for other in ({}, {"hypers": (("momentum", 0.99),)})
    )
    got, _ = ensemble.train([light, heavy], problem.x, problem.y, seed=SEED)
    assert relative(got.costs, costs) <= 1e-12
    assert worst(unflat(got.params, problem.weights), tensors(weights)) <= 1e-12


def test_without_momentum_it_is_gradient_descent() -> None:
    problem = Problem(Architecture.parse("dense 5 > tanh > dense 1"), 40, 2, 3, 4)
    specs = [
        problem.spec(optimizer="momentum", learning_rate=0.05, steps=30, hypers=(("momentum", 0.0),)),
        problem.spec(optimizer="gd", learning_rate=0.05, steps=30),
    ]
    ours, descent = ensemble.train(specs, problem.x, problem.y, seed=SEED)
    assert relative(ours.params, descent.params) <= 1e-13


# ---- the number


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = studies.complete(tmp_path_factory.mktemp("momentum"), SWEEPS)
    studies.without_gradcheck(paths)
    report.run(paths)
    return paths


def test_it_has_a_column_where_networks_have_it(study: Paths) -> None:
    heavy, plain, light = (store.read_table(study.runs(name)) for name in ("heavy", "plain", "light"))
    assert heavy.dtypes["momentum"] == plain.dtypes["momentum"] == "Float64"
    assert {*zip(heavy["momentum"], heavy["cell"], strict=True)} == {
        (momentum, f"{name}-d1-w003-m{momentum}") for name in ("relu", "tanh") for momentum in (0.5, 0.9)
    }
    assert set(plain["momentum"]) == {0.9}, "the default is filled in"
    assert list(light) == list(store.RUN_COLUMNS), "tables without such networks are as they were"
    cells = store.read_table(study.cells).set_index(["sweep", "cell"])["momentum"]
    assert cells["by_name"].to_dict() == {"relu-d1-w003": 0.0, "tanh-d1-w003": 0.9}
    assert cells["light"].isna().all()


def test_the_default_written_out_is_the_same_network(study: Paths) -> None:
    heavy, plain = (store.read_table(study.runs(name)) for name in ("heavy", "plain"))
    assert set(plain["network_id"]) == set(heavy.loc[heavy["momentum"] == 0.9, "network_id"])
    assert heavy["network_id"].is_unique


def test_its_networks_are_those_of_the_oracle(study: Paths) -> None:
    runs = store.read_table(study.runs("heavy"))
    dataset = data.load(study)
    x, y = dataset.inputs(dataset.train), dataset.outputs(dataset.train)
    for run in runs[runs["activation"] == "tanh"].itertuples():
        architecture = Architecture.parse(run.architecture)
        weights = naive.initial_weights(architecture, 1, 9001, run.replicate)
        _, costs = naive.full_batch(architecture, weights, x, y, naive.Momentum(0.02, run.momentum), 9)
        assert run.train_cost == pytest.approx((costs[-1] * dataset.y_scaling.scale**2).sum(), rel=1e-9)


def test_it_is_an_axis_of_the_report(study: Paths) -> None:
    page = study.report.read_text(encoding="utf-8")
    assert "Varied: activation (relu, tanh) × momentum (0.5, 0.9)." in page
    assert "momentum 0 (relu), 0.9 (tanh)" in page
    assert "trained by gradient descent with momentum on half_mse" in page
    assert set(store.read_table(study.contrasts).groupby("sweep")["axis"].unique()["heavy"]) == {"series", "momentum"}
    svg = (study.figures / "heavy" / "test_mse.svg").read_text(encoding="utf-8")
    assert "momentum" in svg


def test_it_is_shown_and_tracked(study: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    show(study, ["heavy", "light"])
    heavy, light = capsys.readouterr().out.split("light: ")
    assert "momentum" in heavy and "momentum" not in light
    for state, found in zip(read_states(study, ["heavy", "light"], "cell"), ({"0.5", "0.9"}, {None}), strict=True):
        records = Records(study, state)
        assert {records.of(state.cell_key(cell["cell"])).params.get("momentum") for cell in state.cells} == found


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"momentum": 1}, "found 1; allowed: numbers from 0 on, below 1"),
        ({"momentum": [0.5, -0.1]}, "momentum[1]: found -0.1; allowed: numbers from 0 on, below 1"),
        (
            {"momentum": 0.5, "optimizer": "adam"},
            "found 0.5; allowed: nothing, unless optimizer is momentum or nesterov",
        ),
    ],
)
def test_bad_numbers_are_refused(tmp_path: Path, keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=r"sweeps\.bad\.momentum") as error:
        load(studies.write(tmp_path, {"bad": BLOCK | keys}))
    assert str(error.value).endswith(message)
