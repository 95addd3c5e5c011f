"""Where W and b sit in the flat row of parameters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from shoal.kernels.matrix.blocks import FROM_SUM
from shoal.kernels.network.activate import activation_kernels
from shoal.kernels.network.architecture import Architecture
from shoal.kernels.network.tape import ADD, APPLY, COPY, DENSE, layout_of
from tests.problems import Problem, problems


@settings(deadline=None)
@given(problem=problems())
def test_every_parameter_has_one_place_in_the_order_of_the_notation(problem: Problem) -> None:
    layout = layout_of(problem.architecture, problem.n_features)
    row = np.arange(layout.n_params)
    views = [view for pair in layout.weights(row) for view in pair]
    assert np.concatenate([view.ravel() for view in views]).tolist() == row.tolist()
    assert [view.shape for view in views] == [tensor.shape for pair in problem.weights for tensor in pair]
    assert layout.flops_per_sample == 2 * sum(W.size for W, _ in problem.weights)


@settings(deadline=None)
@given(problem=problems())
def test_operations_read_nodes_that_are_made_before(problem: Problem) -> None:
    """Nodes go by their first unit: they stand one behind the other. Parts of one are made by one operation each."""
    layout = layout_of(problem.architecture, problem.n_features)
    firsts = [int(layout.sizes[:node].sum()) for node in range(len(layout.sizes))]
    size = dict(zip(firsts, layout.sizes.tolist(), strict=True))
    made = set(range(problem.n_features))
    for op in layout.ops:
        read, written = ({*range(op[first], op[first] + op[units])} for first, units in
                         (("source", "fan_in"), ("target", "fan_out")))  # fmt: skip
        assert size[op["source"]] == op["fan_in"] and read <= made
        assert written <= made if op["kind"] == ADD else not written & made
        assert op["kind"] == DENSE or op["fan_in"] == op["fan_out"]
        made |= written
    assert made == {*range(layout.n_units)}
    assert layout.ops[-1]["target"] == firsts[-1]
    assert layout.sizes[0] == problem.n_features
    assert layout.sizes[-1] == problem.architecture.n_outputs
    assert layout.n_units == sum(size.values())


@settings(deadline=None)
@given(problem=problems())
def test_the_first_of_a_nodes_derivatives_sets_and_the_others_add(problem: Problem) -> None:
    """The backward pass goes through the operations from the last to the first."""
    met: set[int] = set()
    for op in layout_of(problem.architecture, problem.n_features).ops[::-1]:
        assert (op["start"] == FROM_SUM) == (int(op["source"]) in met)
        met.add(int(op["source"]))


def test_an_activation_whose_slope_needs_z_has_it_in_a_node_of_its_own() -> None:
    layout = layout_of(Architecture.parse("dense 3 > gelu > dense 2 > relu > dense 1"), 2)
    assert layout.ops["kind"].tolist() == [DENSE, APPLY, DENSE, DENSE]
    assert layout.sizes.tolist() == [2, 3, 3, 2, 1]


def test_no_other_activation_is_compiled_than_those_of_the_network() -> None:
    layout = layout_of(Architecture.parse("dense 3 > gelu > dense 2 > relu > dense 1"), 2)
    names = [kernel.name for kernel in activation_kernels("networks", layout.ops)]
    assert names == [f"networks.{what}_{name}" for name in ("relu", "gelu") for what in ("activate", "differentiate")]


def test_the_parameters_of_the_assignments_network() -> None:
    layout = layout_of(Architecture.plain((100, 100), "relu", 1), 1)
    assert layout.sizes.tolist() == [1, 100, 100, 1]
    assert layout.ops["offset"].tolist() == [0, 200, 10_300]
    assert layout.ops["source"].tolist() == [0, 1, 101]
    assert layout.n_params == 10_401


def test_branches_that_are_concatenated_write_into_one_node() -> None:
    """Nothing is copied but what is handed on as it is."""
    layout = layout_of(
        Architecture.parse("(dense 5 > relu > dense 3 & skip & (dense 4 > tanh & dense 1)) > dense 1"), 2
    )
    assert layout.sizes.tolist() == [2, 5, 3 + 2 + 4 + 1, 1]
    assert layout.ops["kind"].tolist() == [DENSE, DENSE, COPY, DENSE, DENSE, DENSE]
    assert layout.ops["target"].tolist() == [2, 7, 10, 12, 16, 17]
    assert layout.ops["source"].tolist() == [0, 2, 0, 0, 0, 7]


def test_dropout_is_a_copy_that_has_a_mask_for_every_unit() -> None:
    layout = layout_of(Architecture.parse("dropout 0.25 > dense 5 > (skip | dropout 0.5) > dense 1"), 2)
    assert layout.n_masks == 2 + 5
    assert layout.ops["kind"].tolist() == [COPY, DENSE, COPY, COPY, ADD, DENSE]
    assert layout.ops["rate"].tolist() == [2**30, 0, 2**31, 0, 0, 0]
    assert layout.ops["mask"].tolist() == [layout.n_units, 0, layout.n_units + 2, 0, 0, 0]


def test_views_write_through() -> None:
    layout = layout_of(Architecture.parse("(dense 2 | relu) > dense 1"), 2)
    row = np.zeros(layout.n_params)
    for number, (W, b) in enumerate(layout.weights(row), 1):
        W[:], b[:] = number, -number
    assert row.tolist() == [1, 1, 1, 1, -1, -1, 2, 2, -2]


@pytest.mark.parametrize(
    ("text", "message"),
    [("dense 3 > relu", "must be 'dense N'"), ("(dense 3 | dense 2) > dense 1", r"branches end with \[2, 3\] units")],
)
def test_a_network_that_cannot_be_built_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layout_of(Architecture.parse(text), 2)
