"""The description of a network and its notation."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.kernels.network.architecture import ACTIVATIONS, Activation, Architecture, Dense, Path
from tests.problems import LAYER

PATHS: st.SearchStrategy[Path] = st.lists(LAYER, min_size=1, max_size=5).map(tuple)
RELU = Activation("relu")


@given(branches=st.lists(PATHS, max_size=4), trunk=PATHS)
def test_the_notation_says_everything(branches: list[Path], trunk: Path) -> None:
    architecture = Architecture(tuple(branches), trunk)
    assert Architecture.parse(str(architecture)) == architecture


@given(branches=st.lists(PATHS, min_size=1, max_size=4))
def test_branches_may_stand_alone_until_an_output_layer_is_appended(branches: list[Path]) -> None:
    architecture = Architecture.parse(str(Architecture(tuple(branches), ())))
    assert architecture == Architecture(tuple(branches), ())
    assert architecture.with_output(3) == Architecture(tuple(branches), (Dense(3),))
    assert str(architecture.with_output(3)) == f"{architecture} > dense 3"


@given(text=st.text(alphabet="densrlut 0129()|>-.", max_size=30))
def test_any_text_is_a_network_that_can_be_written_or_an_error(text: str) -> None:
    try:
        architecture = Architecture.parse(text)
    except ValueError as error:
        assert "is not a layer" in str(error) or "branches" in str(error)
    else:
        assert Architecture.parse(str(architecture)) == architecture


def test_examples_of_the_notation() -> None:
    assert Architecture.parse(" dense 100>relu > dense  1 ") == Architecture((), (Dense(100), RELU, Dense(1)))
    text = "(dense 1 | relu > dense 1 | relu > relu > dense 1) > dense 1"
    branches = ((Dense(1),), (RELU, Dense(1)), (RELU, RELU, Dense(1)))
    assert Architecture.parse(text) == Architecture(branches, (Dense(1),))
    assert str(Architecture.parse(text)) == text


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_plain_networks(name: str, depth: int) -> None:
    text = f"dense 4 > {name} > " * depth + "dense 2"
    assert Architecture.plain([4] * depth, name, 2) == Architecture.parse(text)
    assert Architecture.parse(text).n_outputs == 2


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "''"),
        ("dense", "'dense'"),
        ("dense 0", "'dense 0'"),
        ("dense -3", "'dense -3'"),
        ("dense 1.5", "'dense 1.5'"),
        ("dense ten", "'dense ten'"),
        ("Dense 3", "'Dense 3'"),
        ("dense 3 > rleu > dense 1", "'rleu'"),
        ("dense 3 >", "''"),
        ("dense 3 > > dense 1", "''"),
        ("() > dense 1", "''"),
        ("(relu | ) > dense 1", "''"),
        ("((relu | tanh) > dense 1", "'(relu'"),
        ("dense 3 > (relu | tanh)", "'(relu | tanh)'"),
    ],
)
def test_what_is_not_a_layer_is_named(text: str, part: str) -> None:
    with pytest.raises(
        ValueError, match=re.escape(f"{part} is not a layer; allowed: 'dense N' with N >= 1, linear, relu")
    ):
        Architecture.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(relu | tanh > dense 1", "'(relu | tanh > dense 1': the branches' opening '(' is never closed"),
        ("((relu)) > dense 1", "') > dense 1': expected '>' and a layer after the branches"),
        ("(relu | tanh) dense 1", "'dense 1': expected '>' and a layer after the branches"),
    ],
)
def test_broken_branches_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Architecture.parse(text)


@pytest.mark.parametrize("text", ["dense 3 > relu", "relu", "(dense 1 | relu)", "(relu | tanh) > sigmoid"])
def test_a_network_ends_dense(text: str) -> None:
    architecture, message = Architecture.parse(text), re.escape(f"'{text}': the last layer must be 'dense N'")
    with pytest.raises(ValueError, match=message):
        _ = architecture.n_outputs
    with pytest.raises(ValueError, match=message):
        architecture.check(1)


def test_branches_that_are_summed_have_equally_many_units() -> None:
    fine = Architecture.parse("(dense 2 > relu | relu) > dense 1")
    fine.check(2)
    assert fine.branch_units(2) == 2
    with pytest.raises(ValueError, match=r"branches end with \[2, 3\] units; summed branches need equally many"):
        fine.check(3)
    assert Architecture.parse("dense 4 > dense 1").branch_units(3) == 3
