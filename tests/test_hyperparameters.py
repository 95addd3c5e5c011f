"""The table of hyper-parameters: it says of methods what the engine says, and no list beside it knows another one."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from shoal.kernels.ensemble import NetworkSpec
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.losses import LOSSES as ENGINE_LOSSES
from shoal.kernels.spec import KEPT
from shoal.kernels.training.methods import METHODS as ENGINE
from shoal.pipeline import hyperparameters, store
from shoal.pipeline.config import Sweep
from shoal.pipeline.figures import scores
from shoal.pipeline.hyperparameters import DURATIONS, FIRST, HYPERPARAMETERS, KEYS, METHODS, SHAPE, TRAINING
from shoal.pipeline.statistics import axes
from shoal.pipeline.study.grid import cells
from shoal.pipeline.study.identity import network_id

ROOT = Path(__file__).parent.parent
SPEC = NetworkSpec(Architecture.plain((3,), "relu", 1), "assignment", 0, "adam", 0.02, None, 500)


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
    fields_of = {field.name for field in fields(NetworkSpec)}
    own -= fields_of | {*hyperparameters.ON_A_LOSS}
    assert own <= ENGINE[name].hypers.keys()
    own |= {*hyperparameters.ON_A_LOSS}
    known = {field.name for field in fields(NetworkSpec)} | own | {"epochs"}
    assert set(METHODS[name].keys) <= known


def test_losses_and_what_is_kept_are_those_of_the_engine() -> None:
    assert {name: tuple(loss.hypers) for name, loss in ENGINE_LOSSES.items()} == hyperparameters.LOSSES
    assert hyperparameters.KEPT == KEPT
    given = {key: TRAINING[key].default for key in ("loss", "keep", "min_delta", "validate_every")}
    assert given == {key: getattr(SPEC, key) for key in given}


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
    suffixes = [row.suffix for row in TRAINING.values()]
    assert all(suffixes) and len(set(suffixes)) == len(suffixes)


def test_no_room_asks_a_method_for_its_name() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py")]
    assert not [found for text in sources for found in re.findall(r'[!=]= "(?:gd|adam|ridge)"', text)]


# ---- identity


def test_a_default_that_is_written_out_changes_no_id() -> None:
    written = replace(SPEC, hypers=tuple(ENGINE["adam"].hypers.items()))
    other = replace(SPEC, hypers=(("beta_1", 0.8),))
    assert identity(written) == identity(SPEC) != identity(other)


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
