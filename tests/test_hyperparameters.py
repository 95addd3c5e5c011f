"""The table of hyper-parameters: it says of methods what the engine says, and no list beside it knows another one."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from shoal.kernels.ensemble import NetworkSpec
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.losses import LOSSES as ENGINE_LOSSES
from shoal.kernels.spec import KEPT
from shoal.kernels.training.methods import METHODS as ENGINE
from shoal.kernels.training.schedules import SCHEDULES as OF_ENGINE
from shoal.pipeline import hyperparameters, store
from shoal.pipeline.config import Sweep
from shoal.pipeline.figures import scores
from shoal.pipeline.hyperparameters import (
    DURATIONS,
    FIRST,
    HYPERPARAMETERS,
    KEYS,
    METHODS,
    OF_SCHEDULES,
    ON_A_LOSS,
    SCHEDULES,
    SHAPE,
    TRAINING,
)
from shoal.pipeline.statistics import axes
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.identity import network_id

ROOT = Path(__file__).parent.parent
SPEC = NetworkSpec(Architecture.plain((3,), "relu", 1), "assignment", 0, "adam", 0.02, None, 500)


Fields = dict[str, Any]


def identity(spec: NetworkSpec) -> str:
    return network_id(spec, seed=1, dtype="float64", data_hash="d", validation_hash="v", engine="e")


# ---- methods


def test_the_methods_are_those_of_the_engine() -> None:
    assert METHODS.keys() == ENGINE.keys()


@pytest.mark.parametrize("name", METHODS)
def test_what_has_to_be_given_is_what_the_engine_needs(name: str) -> None:
    needed = {key for key in METHODS[name].keys if TRAINING[key].default is None}
    assert needed - {"epochs"} == set(ENGINE[name].needs), "epochs become steps"


@pytest.mark.parametrize("name", METHODS)
def test_what_the_engine_has_a_default_for_is_a_number_of_the_methods_own(name: str) -> None:
    own = {key for key in METHODS[name].keys if TRAINING[key].default == hyperparameters.ENGINE}
    of_specs = {field.name for field in fields(NetworkSpec)}
    assert own - of_specs - {*OF_SCHEDULES, *ON_A_LOSS} == ENGINE[name].hypers.keys()
    known = of_specs | own | {"epochs"}
    assert set(METHODS[name].keys) <= known


def test_the_schedules_are_those_of_the_engine() -> None:
    hypers = {name: schedule.hypers for name, schedule in OF_ENGINE.items()}
    assert {name: row.keys for name, row in SCHEDULES.items()} == {name: (*own,) for name, own in hypers.items()}
    for name, row in SCHEDULES.items():
        assert {*row.needs} == {key for key, default in hypers[name].items() if default is None}


def test_losses_and_what_is_kept_are_those_of_the_engine() -> None:
    assert {name: tuple(loss.hypers) for name, loss in ENGINE_LOSSES.items()} == hyperparameters.LOSSES
    assert hyperparameters.KEPT == KEPT


def test_defaults_that_the_table_has_are_those_of_specifications() -> None:
    """But for the full batch, which specifications call None; the decay that makes no use of it is none."""
    default = {field.name: field.default for field in fields(NetworkSpec)} | {"batch_size": "full"}
    told = {key: row.default for key, row in TRAINING.items() if row.default not in (None, hyperparameters.ENGINE)}
    assert told == {key: default[key] for key in told}
    assert {row.off for row in TRAINING.values()} == {None, ENGINE["adam"].weight_decay}


# ---- one table


def test_axes_columns_and_keys_are_those_of_the_table() -> None:
    assert list(axes.LABELS) == list(HYPERPARAMETERS) == [*SHAPE, *TRAINING]
    assert set(scores.X_ORDER) == set(HYPERPARAMETERS)
    assert set(KEYS) == set(TRAINING) <= set(Sweep.model_fields)
    columns = {name for name, row in TRAINING.items() if row.column}
    assert columns == {*FIRST, *store.LATER_COLUMNS}
    assert {*SHAPE, *FIRST} < set(store.RUN_COLUMNS)
    assert not set(store.LATER_COLUMNS) & {*store.RUN_COLUMNS, *store.CELL_COLUMNS}, "old results stay readable"


def test_width_and_what_counts_samples_and_steps_run_along_x_before_other_numbers() -> None:
    order = [name for name in scores.X_ORDER if name in {*SHAPE, *FIRST, *DURATIONS}]
    assert order == ["width", "batch_size", "epochs", "steps", "learning_rate", "alpha", "depth", "hidden_sizes"]


def test_names_of_cells_tell_hyperparameters_apart() -> None:
    suffixes = [row.suffix for row in TRAINING.values() if row.column != "string"]
    assert all(suffixes) and len(set(suffixes)) == len(suffixes)
    assert TRAINING["schedule"].in_name("cosine") == "cosine", "the value says what it is"


def test_no_room_asks_a_method_for_its_name() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py")]
    assert not [found for text in sources for found in re.findall(r'[!=]= "(?:gd|adam|ridge)"', text)]


# ---- identity


def test_a_default_that_is_written_out_changes_no_id() -> None:
    written = replace(SPEC, hypers=tuple(ENGINE["adam"].hypers.items()))
    other = replace(SPEC, hypers=(("beta_1", 0.8),))
    assert identity(written) == identity(SPEC) != identity(other)


@pytest.mark.parametrize(
    ("own", "default", "other"),
    [
        ({"optimizer": "adamw"}, {"weight_decay": 0.01}, {"weight_decay": 0.0}),
        ({"optimizer": "adam"}, {"weight_decay": 0.0}, {"weight_decay": 0.01}),
        ({"initialiser": "siren"}, {"init_hypers": (("omega_0", 30.0),)}, {"init_hypers": (("omega_0", 15.0),)}),
        ({"loss": "huber"}, {"loss_hypers": (("delta", 1.0),)}, {"loss_hypers": (("delta", 2.0),)}),
    ],
)
def test_nor_does_one_that_depends_on_other_fields(own: Fields, default: Fields, other: Fields) -> None:
    spec = replace(SPEC, **own)
    assert identity(replace(spec, **default)) == identity(spec) != identity(replace(spec, **other))


def test_an_id_with_other_numbers_is_what_it_was() -> None:
    """Stored results have these."""
    own = {"loss": "huber", "loss_hypers": (("delta", 2.0),), "init_hypers": (("omega_0", 15.0),)}
    spec = replace(SPEC, initialiser="siren", weight_decay=0.1, schedule="step", hypers=(("every", 3),), **own)
    assert identity(spec) == "4a84cd7bc73bfb6b"


def test_the_numbers_of_a_schedule_are_in_the_id() -> None:
    """`gamma` alone has a default."""
    given = ((), (("gamma", 0.1),), (("gamma", 0.2),))
    step, written, other = (replace(SPEC, schedule="step", hypers=(("every", 3.0), *own)) for own in given)
    assert identity(step) == identity(written) != identity(other)


def test_a_later_key_of_specifications_is_in_the_id_only_where_it_is_not_the_default() -> None:
    @dataclass(frozen=True)
    class Later(NetworkSpec):
        later: float = 0.0

    assert identity(Later(*_values(SPEC))) == identity(SPEC)
    assert identity(Later(*_values(SPEC), later=0.1)) != identity(SPEC)


def _values(spec: NetworkSpec) -> list[object]:
    return [getattr(spec, field.name) for field in fields(spec)]


# ---- cells


def test_cells_hold_the_columns_of_their_method_and_the_first_ones() -> None:
    for name, method in METHODS.items():
        numbers = {key: 1 for key in method.keys if TRAINING[key].default is None and key != "epochs"}
        block = {"activation": "relu", "depth": 1, "width": 2, "optimizer": name} | numbers
        [cell] = cells(Sweep.model_validate(block), 1, 10)
        own = {key for key in method.keys if TRAINING[key].column}
        assert {*own, *FIRST} == cell.columns().keys() & set(KEYS)
        assert all(cell.columns()[key] == 1 for key in numbers)
