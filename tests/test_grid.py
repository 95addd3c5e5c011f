"""Cells, their names, and what a network_id depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.kernels.ensemble import NetworkSpec
from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.config import Sweep
from shoal.pipeline.study.grid import Cell, cells
from shoal.pipeline.study.identity import network_id

N_TRAIN = 1000
SPEC = NetworkSpec(Architecture.plain((100, 100), "relu", 1), "assignment", 0, "gd", 0.02, None, 500, None)
WORLD: dict[str, Any] = {"seed": 9001, "dtype": "float64", "data_hash": "5ea" * 20, "engine": "avx512, numba 1.2.3"}
WORLD |= {"validation_hash": "0"}
WORLDS: tuple[dict[str, Any], ...] = (
    {"seed": 1},
    {"dtype": "float32"},
    {"data_hash": "0"},
    {"engine": "avx2, numba 1.2.3"},
)
BASE = {
    "activation": ["relu", "linear", "tanh"],
    "depth": 2,
    "width": 100,
    "learning_rate": {"relu": 0.02, "tanh": 0.02, "linear": 0.005},
    "steps": 500,
    "init": "assignment-stream",
    "replicates": 11,
}
BATCH = {
    "activation": ["relu", "tanh"],
    "depth": 2,
    "width": 50,
    "batch_size": [1, 10, 100, "full"],
    "learning_rate": 0.02,
    "steps": 3000,
    "replicates": 10,
}
NAMES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "base": (BASE, ["relu-d2-w100", "linear-d2-w100", "tanh-d2-w100"]),
    "sizes": (
        {"activation": ["relu", "tanh"], "depth": [1, 2], "width": [5, 10], "learning_rate": 0.02, "steps": 500},
        ["relu-d1-w005", "relu-d1-w010", "relu-d2-w005", "relu-d2-w010",
         "tanh-d1-w005", "tanh-d1-w010", "tanh-d2-w005", "tanh-d2-w010"],
    ),
    "ridge": (
        {"optimizer": "ridge", "alpha": 0.1, "activation": ["relu", "linear"], "depth": [3], "width": [5, 1234]},
        ["relu-d3-w005", "relu-d3-w1234", "linear-d3-w005", "linear-d3-w1234"],
    ),
    "batch": (
        BATCH | {"activation": "relu"},
        ["relu-d2-w050-b0001", "relu-d2-w050-b0010", "relu-d2-w050-b0100", "relu-d2-w050-bfull"],
    ),
    "rates": (
        {"activation": "relu", "depth": 2, "width": 100, "learning_rate": [0.01, 0.1], "steps": [100, 500]},
        ["relu-d2-w100-lr0.01-s00100", "relu-d2-w100-lr0.01-s00500",
         "relu-d2-w100-lr0.1-s00100", "relu-d2-w100-lr0.1-s00500"],
    ),
    "branches": (
        {"architecture": {"scalar": "(dense 1 | relu > dense 1)", "deep": "dense 3 > tanh"}, "learning_rate": 1,
         "epochs": [2]},
        ["scalar-e00002", "deep-e00002"],
    ),
    "adam": (
        BATCH | {"optimizer": "adam", "activation": "tanh", "batch_size": [10, "full"]},
        ["tanh-d2-w050-b0010", "tanh-d2-w050-bfull"],
    ),
    "hidden sizes and alphas": (
        {"optimizer": "ridge", "alpha": {"relu": [0.1, 1], "tanh": 2}, "activation": ["relu", "tanh"],
         "hidden_sizes": [[5], [10, 3]]},
        ["relu-h5-a0.1", "relu-h5-a1.0", "relu-h10x3-a0.1", "relu-h10x3-a1.0", "tanh-h5-a2.0", "tanh-h10x3-a2.0"],
    ),
}  # fmt: skip


def grid(block: Mapping[str, Any], n_outputs: int = 1) -> list[Cell]:
    return cells(Sweep.model_validate(dict(block)), n_outputs, N_TRAIN)


def identity(spec: NetworkSpec) -> str:
    return network_id(spec, **WORLD)


# ---- names


@pytest.mark.parametrize("sweep", NAMES)
def test_names_of_cells(sweep: str) -> None:
    block, names = NAMES[sweep]
    assert [cell.name for cell in grid(block)] == names


def lists(values: st.SearchStrategy[Any], max_size: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=1, max_size=max_size, unique_by=repr)


RATES = st.floats(1e-6, 10.0) | st.integers(1, 3)
SHAPES = st.fixed_dictionaries({"depth": lists(st.integers(1, 4)), "width": lists(st.integers(1, 1500))}) | (
    st.fixed_dictionaries({"hidden_sizes": lists(st.lists(st.integers(1, 30), min_size=1, max_size=3))})
)
DESCENTS = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(["gd", "adam"]),
        "learning_rate": lists(RATES.map(float)),
        "batch_size": lists(st.integers(1, N_TRAIN) | st.just("full")),
    }
).flatmap(
    lambda keys: st.builds(
        lambda key, values: keys | {key: values},
        st.sampled_from(["steps", "epochs"]),
        lists(st.integers(1, 200_000)),
    )
)
RIDGES = st.fixed_dictionaries({"optimizer": st.just("ridge"), "alpha": lists(RATES.map(float))})
BLOCKS = st.builds(
    lambda activation, shape, training: {"activation": activation, **shape, **training},
    lists(st.sampled_from(["relu", "linear", "tanh", "sigmoid"])),
    SHAPES,
    DESCENTS | RIDGES,
)


@given(BLOCKS)
def test_cells_are_the_product_of_the_lists_and_all_differ(block: dict[str, Any]) -> None:
    made = grid(block)
    n = 1
    for values in block.values():
        n *= len(values) if isinstance(values, list) else 1
    assert len(made) == n
    assert len({cell.name for cell in made}) == n
    assert len({identity(cell.spec) for cell in made}) == n


@given(BLOCKS, st.data())
def test_a_cell_is_the_same_whatever_else_the_lists_hold(block: dict[str, Any], data: st.DataObject) -> None:
    fewer = {key: data.draw(lists(st.sampled_from(v))) if isinstance(v, list) else v for key, v in block.items()}
    everything = {cell.name: cell for cell in grid(block)}
    assert all(everything[cell.name] == cell for cell in grid(fewer))


# ---- what a cell trains


def test_values_by_activation() -> None:
    block = BASE | {"learning_rate": {"relu": [0.1, 0.2], "linear": 0.005, "tanh": 3}}
    found = [(cell.shape.activation, cell.spec.learning_rate) for cell in grid(block)]
    assert found == [("relu", 0.1), ("relu", 0.2), ("linear", 0.005), ("tanh", 3.0)]
    assert all(isinstance(rate, float) for _, rate in found), "3 and 3.0 would have two ids"


@pytest.mark.parametrize(("batch_size", "steps"), [("full", 3), (1000, 3), (10, 300), (300, 12), (999, 6), (1, 3000)])
def test_epochs_are_passes_over_all_samples(batch_size: object, steps: int) -> None:
    block = {key: value for key, value in BATCH.items() if key != "steps"} | {"batch_size": batch_size, "epochs": 3}
    assert {cell.spec.steps for cell in grid(block)} == {steps}


def test_full_batch_has_no_batch_size() -> None:
    assert [cell.spec.batch_size for cell in grid(BATCH)] == [1, 10, 100, None] * 2


def test_columns_of_a_plain_cell() -> None:
    cell = grid(BATCH, n_outputs=3)[1]
    assert cell.columns() == {
        "cell": "relu-d2-w050-b0010",
        "architecture": "dense 50 > relu > dense 50 > relu > dense 3",
        "activation": "relu",
        "depth": 2,
        "width": 50,
        "hidden_sizes": "50-50",
        "optimizer": "gd",
        "learning_rate": 0.02,
        "batch_size": 10,
        "steps": 3000,
        "alpha": None,
        "schedule": "constant",
        "every": None,
        "gamma": None,
        "warmup": 0,
        "l2": 0.0,
        "clip_norm": None,
        "weight_decay": 0.0,
        "loss": "squared",
        "delta": None,
        "quantile": None,
        "keep": "last",
        "patience": None,
        "min_delta": 0.0,
        "validate_every": 10,
    }


def test_cells_of_several_schedules_have_the_numbers_of_their_own() -> None:
    along = {"schedule": ["constant", "step", "cosine"], "every": 20, "warmup": [0, 5]}
    found = grid(BASE | {"activation": "relu"} | along)
    names = ["constant-warmup0", "constant-warmup5", "step-warmup0", "step-warmup5", "cosine-warmup0", "cosine-warmup5"]
    assert [cell.name for cell in found] == [f"relu-d2-w100-{name}" for name in names]
    hypers = {"step": (("every", 20), ("gamma", 0.1))}
    for cell in found:
        assert cell.spec.hypers == hypers.get(cell.spec.schedule, ())
        assert [cell.columns()[key] for key in ("every", "gamma")] == ([20, 0.1] if cell.spec.hypers else [None] * 2)


def test_a_specification_is_what_the_block_says() -> None:
    block = {"activation": "relu", "hidden_sizes": [[50, 50]], "optimizer": "adamw", "learning_rate": 0.02}
    block |= {"batch_size": 10, "epochs": 3, "schedule": "exponential", "gamma": {"relu": 0.9}, "warmup": 2}
    [cell] = grid(block | {"l2": 0.1, "clip_norm": 1, "weight_decay": 0, "beta_2": 0.99, "epsilon": 1e-6})
    hypers = (("beta_1", 0.9), ("beta_2", 0.99), ("epsilon", 1e-6), ("gamma", 0.9))
    assert cell.spec == NetworkSpec(
        Architecture.plain((50, 50), "relu", 1), "assignment", 0, "adamw", 0.02, 10, 300, hypers=hypers,
        schedule="exponential", warmup=2, l2=0.1, clip_norm=1.0, weight_decay=0.0,
    )  # fmt: skip
    cell.spec.check(N_TRAIN, 1, 1)


def test_defaults_written_out_change_no_id() -> None:
    defaults: dict[str, dict[str, Any]] = {
        "gd": {"schedule": "constant", "warmup": 0, "l2": 0, "weight_decay": 0},
        "adamw": {"weight_decay": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
        "rmsprop": {"decay": 0.99, "epsilon": 1e-8},
        "adagrad": {"epsilon": 1e-10},
    }
    for optimizer, written in defaults.items():
        block = BATCH | {"optimizer": optimizer}
        ids = [[identity(spec) for cell in grid(block | own) for spec in cell.specs()] for own in ({}, written)]
        assert ids[0] == ids[1]


def test_uneven_hidden_sizes_have_no_width() -> None:
    block, _ = NAMES["hidden sizes and alphas"]
    columns = [cell.columns() for cell in grid(block)]
    assert [(row["depth"], row["width"], row["hidden_sizes"]) for row in columns[1:3]] == [
        (1, 5, "5"),
        (2, None, "10-3"),
    ]


def test_architectures_get_their_output_layer_and_no_columns_of_a_plain_network() -> None:
    columns = grid(NAMES["branches"][0], n_outputs=2)[0].columns()
    assert columns["architecture"] == "(dense 1 | relu > dense 1) > dense 2"
    assert [columns[key] for key in ("activation", "depth", "width", "hidden_sizes")] == [None] * 4


# ---- identity


def test_known_ids() -> None:
    assert identity(SPEC) == "cd6e38ad987918d9"
    assert identity(replace(SPEC, optimizer="adam")) == "47d84d9c0600babe"
    minibatch = replace(SPEC, initialiser="assignment-stream", batch_size=10, replicate=3)
    assert identity(minibatch) == "122cbe8dac4ff1ce"
    ridge = NetworkSpec(Architecture.parse("(dense 1 | relu > dense 1) > dense 1"), "assignment", 0, "ridge", alpha=0.1)
    assert identity(ridge) == "e6c01057688a3de5"


def test_an_id_changes_with_everything_that_determines_the_result() -> None:
    changes: list[dict[str, Any]] = [
        {"architecture": Architecture.plain((100, 100), "tanh", 1)},
        {"architecture": Architecture.plain((100, 99), "relu", 1)},
        {"architecture": Architecture.plain((100,), "relu", 1)},
        {"architecture": Architecture.plain((100, 100), "relu", 2)},
        {"initialiser": "assignment-stream"},
        {"replicate": 1},
        {"optimizer": "adam"},
        {"optimizer": "ridge"},
        {"learning_rate": 0.020000000000000004},
        {"batch_size": 1000},
        {"steps": 501},
        {"alpha": 0.1},
    ]
    ids = {identity(replace(SPEC, **change)) for change in changes}
    ids |= {network_id(SPEC, **(WORLD | change)) for change in WORLDS}
    assert len(ids | {identity(SPEC)}) == len(changes) + len(WORLDS) + 1


def test_loss_and_stopping_are_part_of_an_id_where_they_are_not_the_default() -> None:
    """Some of them in the specification as the grid has it: all numbers of its loss, and the best where it stops."""
    block = BASE | {"init": "assignment", "replicates": 1}
    written: list[dict[str, Any]] = [
        {"loss": "squared", "keep": "last"},
        {"loss": "huber"},
        {"loss": "huber", "delta": 0.5},
        {"loss": "absolute"},
        {"loss": "quantile", "quantile": 0.9},
        {"keep": "best"},
        {"patience": 3},
        {"patience": 3, "min_delta": 0.1},
        {"patience": 3, "validate_every": 1},
    ]
    ids = [identity(grid(block | keys)[0].spec) for keys in written]
    assert len(set(ids)) == len(ids) and ids[0] == identity(grid(block)[0].spec)
    same = [{"loss": "huber", "delta": 1}, {"patience": 3, "keep": "best", "min_delta": 0, "validate_every": 10}]
    assert [identity(grid(block | keys)[0].spec) for keys in same] == [ids[1], ids[6]]


def test_validation_rows_are_part_of_the_id_of_what_they_stop() -> None:
    for keys, counts in (({}, False), ({"loss": "huber"}, False), ({"patience": 3}, True), ({"keep": "best"}, True)):
        spec = grid(BASE | keys)[0].spec
        assert (network_id(spec, **(WORLD | {"validation_hash": "1"})) != identity(spec)) is counts


def test_each_loss_has_its_own_numbers() -> None:
    found = grid(BATCH | {"batch_size": "full", "activation": "relu", "loss": ["squared", "huber"], "delta": 0.5})
    assert [cell.name for cell in found] == ["relu-d2-w050-loss-squared", "relu-d2-w050-loss-huber"]
    assert [cell.spec.loss_hypers for cell in found] == [(), (("delta", 0.5),)]
    assert [(cell.columns()["loss"], cell.columns()["delta"]) for cell in found] == [("squared", None), ("huber", 0.5)]


def test_initial_parameters_are_part_of_an_id_where_they_are_not_the_laws_own() -> None:
    block = BASE | {"init": "siren"}
    [own, *others] = [
        {identity(spec) for spec in grid(block | keys)[0].specs()}
        for keys in ({}, {"omega_0": 30, "bias": "uniform"}, {"omega_0": 20}, {"bias": "zero"}, {"init": "he_normal"})
    ]
    assert others[0] == own
    assert len(own.union(*others)) == 4 * 11
    assert {spec.initialiser for spec in grid(block)[0].specs()} == {"siren"}


def test_only_replicate_0_comes_from_the_assignments_stream() -> None:
    stream, plain = grid(BASE)[0].specs(), grid(BASE | {"init": "assignment"})[0].specs()
    assert [spec.replicate for spec in stream] == list(range(11))
    same = [identity(one) == identity(other) for one, other in zip(stream, plain, strict=True)]
    assert same == [False] + [True] * 10


def test_the_same_network_has_the_same_id_in_every_sweep() -> None:
    one = grid(BATCH)[0].spec
    [other] = grid(BATCH | {"activation": "relu", "depth": [2], "width": [50], "batch_size": 1, "replicates": 1})
    [by_sizes] = grid(
        {"activation": "relu", "hidden_sizes": [[50, 50]], "learning_rate": 0.02, "batch_size": 1, "epochs": 3}
    )
    assert identity(one) == identity(other.spec) == identity(by_sizes.spec)
