"""The description of a network and its notation."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.kernels.network.architecture import (
    ACTIVATIONS,
    DEEPEST,
    Activation,
    Architecture,
    Concat,
    Dense,
    Dropout,
    Layer,
    Path,
    Sum,
    every_layer,
    units_after,
)
from tests.problems import OR_DROPOUT

RELU = Activation("relu")


def groups(layers: st.SearchStrategy[Layer]) -> st.SearchStrategy[Layer]:
    branch = st.lists(layers, max_size=3).map(tuple)
    sums, concats = (st.lists(branch, min_size=n, max_size=3).map(tuple) for n in (1, 2))
    return st.builds(Sum, sums) | st.builds(Concat, concats)


PATHS: st.SearchStrategy[Path] = st.lists(st.recursive(OR_DROPOUT, groups, max_leaves=6), min_size=1).map(tuple)


@given(path=PATHS)
def test_the_notation_says_everything(path: Path) -> None:
    architecture = Architecture(path)
    assert Architecture.parse(str(architecture)) == architecture
    assert Architecture.parse(str(architecture).replace(" | ", "|").replace(" >", ">").replace("(", " ( "))


@given(path=PATHS)
def test_groups_may_stand_alone_until_an_output_layer_is_appended(path: Path) -> None:
    architecture = Architecture(path)
    assert architecture.with_output(3) == Architecture((*path, Dense(3)))
    assert str(architecture.with_output(3)) == f"{architecture} > dense 3"


@given(text=st.text(alphabet="densrlut 0129()|&>-.", max_size=30))
def test_any_text_is_a_network_that_can_be_written_or_an_error(text: str) -> None:
    try:
        architecture = Architecture.parse(text)
    except ValueError as error:
        assert any(part in str(error) for part in ("is not a layer", "branch"))
    else:
        assert Architecture.parse(str(architecture)) == architecture


def test_examples_of_the_notation() -> None:
    assert Architecture.parse(" dense 100>relu > dense  1 ") == Architecture((Dense(100), RELU, Dense(1)))
    text = "(dense 1 | relu > dense 1 | relu > relu > dense 1) > dense 1"
    branches = ((Dense(1),), (RELU, Dense(1)), (RELU, RELU, Dense(1)))
    assert Architecture.parse(text) == Architecture((Sum(branches), Dense(1)))
    assert str(Architecture.parse(text)) == text
    block = (Dense(16), RELU, Dense(16))
    text = "dense 16 > relu > (skip | dense 16 > relu > dense 16) > relu > dense 1"
    assert Architecture.parse(text) == Architecture((Dense(16), RELU, Sum(((), block)), RELU, Dense(1)))
    text = "dropout 0.20 > ((relu|skip) & skip)>dense 2"
    assert Architecture.parse(text) == Architecture((Dropout(0.2), Concat(((Sum(((RELU,), ())),), ())), Dense(2)))
    assert str(Architecture.parse(text)) == "dropout 0.2 > ((relu | skip) & skip) > dense 2"


def test_layers_are_listed_in_the_order_of_the_notation() -> None:
    layers = Architecture.parse("dense 2 > (skip & relu > (dense 3 | dense 4)) > dense 1").layers
    kinds = ["dense 2", "(skip & relu > (dense 3 | dense 4))", "relu", "(dense 3 | dense 4)", "dense 3", "dense 4"]
    assert [*map(str, every_layer(layers))] == [*kinds, "dense 1"]


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
        ("(relu > ) > dense 1", "''"),
        ("skip > dense 1", "'skip'"),
        ("(relu > skip | tanh) > dense 1", "'skip'"),
        ("(skip > relu | tanh) > dense 1", "'skip'"),
        ("dropout > dense 1", "'dropout'"),
        ("dropout 0 > dense 1", "'dropout 0'"),
        ("dropout 1 > dense 1", "'dropout 1'"),
        ("dropout -0.5 > dense 1", "'dropout -0.5'"),
        ("dropout nan > dense 1", "'dropout nan'"),
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
        ("relu > (relu | (tanh)", "'(relu | (tanh)': the branches' opening '(' is never closed"),
        ("((relu) > dense 1", "'((relu) > dense 1': the branches' opening '(' is never closed"),
        ("(relu)) > dense 1", "') > dense 1': its ')' closes no branches"),
        ("relu | tanh", "'| tanh': '|' stands between branches, which are in brackets"),
        ("relu & tanh", "'& tanh': '&' stands between branches, which are in brackets"),
        ("(relu | tanh) dense 1", "'dense 1': expected '>' and a layer after the branches"),
        ("(relu | tanh) (relu)", "'(relu)': expected '>' and a layer after the branches"),
        ("dense 1 (relu | tanh)", "'(relu | tanh)': expected '>' between 'dense 1' and branches"),
        ("() > dense 1", "a branch has no layers; allowed: layers, or 'skip'"),
        ("(relu | ) > dense 1", "a branch has no layers; allowed: layers, or 'skip'"),
        ("(& relu) > dense 1", "a branch has no layers; allowed: layers, or 'skip'"),
        (
            "(relu | tanh & skip) > dense 1",
            "'(relu | tanh & skip)': branches with | and & between them; allowed: one of",
        ),
        ("(" * (DEEPEST + 1) + "relu" + ")" * (DEEPEST + 1), "branches inside branches more than 16 deep"),
    ],
)
def test_broken_branches_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Architecture.parse(text)


def test_branches_may_stand_inside_branches_up_to_a_limit() -> None:
    text = "(" * DEEPEST + "relu" + ")" * DEEPEST
    assert str(Architecture.parse(text)) == text


@pytest.mark.parametrize("text", ["dense 3 > relu", "relu", "(dense 1 | relu)", "dense 3 > dropout 0.1"])
def test_a_network_ends_dense(text: str) -> None:
    architecture, message = Architecture.parse(text), re.escape(f"'{text}': the last layer must be 'dense N'")
    with pytest.raises(ValueError, match=message):
        _ = architecture.n_outputs
    with pytest.raises(ValueError, match=message):
        architecture.check(1)


def test_branches_that_are_summed_have_equally_many_units() -> None:
    fine = Architecture.parse("(dense 2 > relu | relu) > dense 1")
    fine.check(2)
    with pytest.raises(ValueError, match=r"branches end with \[2, 3\] units in .*; summed branches need equally many"):
        fine.check(3)
    with pytest.raises(ValueError, match=re.escape("branches end with [4, 5] units in '(skip | dense 5)'; summed")):
        Architecture.parse("(dense 4 > (skip | dense 5) | dense 4) > dense 1").check(5)


@pytest.mark.parametrize(
    ("text", "units"),
    [("relu", 3), ("dropout 0.1 > dense 4", 4), ("(skip | relu)", 3), ("(skip & dense 2 & relu)", 8),
     ("dense 5 > (skip & (dense 2 & skip))", 12), ("(dense 4 | (skip & dense 1))", 4)],
)  # fmt: skip
def test_units_that_a_path_ends_with(text: str, units: int) -> None:
    assert units_after(Architecture.parse(text).layers, 3) == units


@pytest.mark.parametrize("layers", [(Concat(((RELU,),)),), (Sum(()),), (Activation("sine"),), (Dropout(1.5),)])
def test_what_the_notation_cannot_say_is_refused(layers: Path) -> None:
    with pytest.raises(ValueError, match=r"layer|allowed"):
        Architecture((*layers, Dense(1))).check(3)
