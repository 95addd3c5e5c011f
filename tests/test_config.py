"""params.yaml: what is read from it, and the one line that each fault in it gets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline.config import Config, ConfigError, Fault, Sweep, examine, load
from shoal.pipeline.paths import Paths
from tests.bad_params import ACCEPTANCE, COUNTS, DATA_KEYS, GOOD, SINGLE, SWEEP_KEYS, WHOLE, edited


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


def messages(paths: Paths, text: str) -> list[str]:
    paths.params.write_text(text, encoding="utf-8")
    return [str(fault) for fault in examine(paths)[1]]


def refusals(paths: Paths, text: str) -> list[str]:
    """The lines of the error that `load` raises."""
    paths.params.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(paths)
    return str(caught.value).splitlines()


def test_good_file_loads_with_every_value_in_its_place(paths: Paths) -> None:
    assert messages(paths, GOOD) == []
    config = load(paths)
    sizes, batch, ridge, branches = (config.sweeps[name] for name in ("sizes", "batch", "ridge", "branches"))
    assert (config.seed, config.dtype, config.data.source, config.data.features) == (9001, "float64", "function", None)
    assert (config.data.targets, config.data.fractions.train) == (("u", "v"), 0.6)
    assert (sizes.activation, sizes.depth, sizes.width) == (("relu", "tanh"), (1, 2), (5, 10))
    assert sizes.learning_rate == {"relu": (0.02,), "tanh": (0.01, 0.03)}
    assert (sizes.optimizer, sizes.init, sizes.replicates) == ("gd", "assignment", 20)
    assert (batch.optimizer, ridge.optimizer) == ("adam", "ridge")
    assert (batch.batch_size, batch.epochs, batch.steps) == ({"all": (1, 10, "full")}, {"all": (30,)}, None)
    assert (ridge.hidden_sizes, ridge.alpha, ridge.replicates) == (((5,), (10, 3)), {"all": (0.1,)}, 1)
    texts = {"scalar": "(dense 1 | relu > dense 1)", "deep": "dense 10 > relu"}
    assert branches.architecture == {name: Architecture.parse(text) for name, text in texts.items()}


REPORT = "{title: My study, parts: {ridge: '3.1'}}"
LINE = "one line of up to 100 characters"
PARTS = "a mapping of sweeps to text such as 2g or '3.1', of up to 100 characters"


def with_report(block: str) -> str:
    assert "\nsweeps:" in GOOD
    return GOOD.replace("\nsweeps:", f"\nreport: {block}\nsweeps:")


def test_what_the_report_says_of_the_study(paths: Paths) -> None:
    assert messages(paths, with_report(REPORT)) == []
    assert load(paths).report.model_dump() == {"title": "My study", "parts": {"ridge": "3.1"}}


@pytest.mark.parametrize("text", [GOOD, with_report("{}"), with_report("{title: 'shoal: results', parts: {}}")])
def test_the_block_for_the_report_need_not_be_there(paths: Paths, text: str) -> None:
    assert messages(paths, text) == []
    assert load(paths).report.model_dump() == {"title": "shoal: results", "parts": {}}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("title", "titel", "report.titel: found an unknown key; allowed: title, parts; did you mean 'title'?"),
        ("My study", "7", f"report.title: found 7; allowed: {LINE}"),
        ("My study", "' '", f"report.title: found ' '; allowed: {LINE}"),
        ("My study", '"a\\nb"', f"report.title: found 'a\\nb'; allowed: {LINE}"),
        ("My study", "x" * 101, f"report.title: found '{'x' * 98}…; allowed: {LINE}"),
        ("'3.1'", "3.1", f"report.parts.ridge: found 3.1; allowed: {PARTS}"),
        ("ridge", "rigde", "report.parts.rigde: found the name of no sweep; allowed: the sweeps: sizes, batch, ridge, "
         "stream, branches; did you mean 'ridge'?"),
        ("{ridge: '3.1'}", "[ridge]", f"report.parts: found ['ridge']; allowed: {PARTS}"),
        (REPORT, "", "report: found nothing; allowed: a mapping with the keys title, parts"),
    ],
)  # fmt: skip
def test_faults_of_the_block_for_the_report(paths: Paths, before: str, after: str, message: str) -> None:
    """One line each, beside a fault elsewhere that none of them hides."""
    text = with_report(REPORT.replace(before, after)).replace("split_seed: 0", "split_seed: -1")
    [first, second] = sorted(messages(paths, text))
    assert first == "params.yaml: data.split_seed: found -1; allowed: a whole number from 0 to 4294967295"
    assert second == f"params.yaml: {message}"


def test_sweep_resolves_values_by_activation_and_knows_its_lists(paths: Paths) -> None:
    paths.params.write_text(GOOD, encoding="utf-8")
    sweeps = load(paths).sweeps
    assert sweeps["sizes"].values("learning_rate", "tanh") == (0.01, 0.03)
    assert sweeps["sizes"].values("steps", "tanh") == (500,)
    assert sweeps["sizes"].values("alpha", "tanh") == (None,)
    assert sweeps["branches"].values("batch_size", None) == ("full",)
    assert sweeps["sizes"].listed == {"activation", "depth", "width", "learning_rate"}
    assert sweeps["batch"].listed == {"batch_size"}


def test_configuration_cannot_be_changed(paths: Paths) -> None:
    paths.params.write_text(GOOD, encoding="utf-8")
    with pytest.raises(ValidationError, match="frozen"):
        load(paths).seed = 1


@pytest.mark.parametrize(("old", "new", "message"), ACCEPTANCE + SINGLE)
def test_a_fault_is_one_message(paths: Paths, old: str, new: str, message: str) -> None:
    assert refusals(paths, edited((old, new, message))) == [f"params.yaml: {message}"]


def test_faults_stand_together(paths: Paths) -> None:
    found = refusals(paths, edited(*ACCEPTANCE))
    assert sorted(found) == sorted(f"params.yaml: {message}" for _, _, message in ACCEPTANCE)


def test_a_fault_hides_no_fault_between_other_keys(paths: Paths) -> None:
    edits = [case for case in SINGLE if case[0] in ("seed: 9001", "width: 100", "alpha: 0.1", "test: 0.2")]
    edits = [next(case for case in edits if case[0] == old) for old in dict.fromkeys(case[0] for case in edits)]
    edits += [("width: [5, 10]", "width: -5\n    alpha: 1", f"sweeps.sizes.width: found -5; allowed: {COUNTS}")]
    expected = {message for _, _, message in edits}
    expected |= {"sweeps.sizes.alpha: found 1; allowed: nothing, unless optimizer is ridge"}
    assert len(edits) == 5
    assert set(refusals(paths, edited(*edits))) == {f"params.yaml: {message}" for message in expected}


@pytest.mark.parametrize(("text", "message"), WHOLE)
def test_a_file_that_is_no_configuration_is_one_message(paths: Paths, text: str, message: str) -> None:
    assert refusals(paths, text) == [f"params.yaml: {message}"]


def test_a_missing_file_is_one_message(paths: Paths) -> None:
    with pytest.raises(ConfigError, match=r"^params\.yaml: found no such file; allowed: a file in the folder"):
        load(paths)


def test_a_file_that_cannot_be_read_is_one_message(paths: Paths) -> None:
    paths.params.mkdir()
    with pytest.raises(ConfigError, match=r"^params\.yaml: found a file that cannot be read \(Is a directory\)"):
        load(paths)


def test_bytes_that_are_not_utf8_are_one_message(paths: Paths) -> None:
    paths.params.write_bytes(b"seed: \xff")
    with pytest.raises(
        ConfigError, match=r"^params\.yaml: byte 7: found bytes that are not UTF-8 text; allowed: UTF-8$"
    ):
        load(paths)


@pytest.mark.parametrize("found", ["{}", "[]", "5"])
def test_sweeps_hold_at_least_one_block(paths: Paths, found: str) -> None:
    text = GOOD[: GOOD.index("sweeps:")] + f"sweeps: {found}"
    message = f"params.yaml: sweeps: found {found}; allowed: at least one block of sweep keys under a name"
    assert refusals(paths, text) == [message]


def test_a_missing_key_and_an_unknown_one_that_does_not_resemble_it_are_two_faults(paths: Paths) -> None:
    assert refusals(paths, GOOD.replace("    depth: [1, 2]", "    colour: red")) == [
        f"params.yaml: sweeps.sizes.colour: found an unknown key; allowed: {SWEEP_KEYS}",
        f"params.yaml: sweeps.sizes.depth: found nothing; allowed: {COUNTS}",
    ]


def test_every_missing_section_is_told(paths: Paths) -> None:
    assert refusals(paths, "seed: 1") == [
        "params.yaml: dtype: found nothing; allowed: float64, float32",
        f"params.yaml: data: found nothing; allowed: {DATA_KEYS}",
        "params.yaml: tracking: found nothing; allowed: a mapping with the keys granularity, experiment",
        "params.yaml: sweeps: found nothing; allowed: at least one block of sweep keys under a name",
    ]


def test_an_empty_block_lacks_what_every_block_needs(paths: Paths) -> None:
    text = GOOD[: GOOD.index("  sizes:")] + "  new: {}"
    keys = ("activation", "depth", "width", "learning_rate", "steps")
    assert [line.split(": ")[1] for line in refusals(paths, text)] == [f"sweeps.new.{key}" for key in keys]


@pytest.mark.parametrize("name", ["width", "data", "all", "a_1-b", "'2024'"])
def test_a_sweep_may_be_named_like_a_key(paths: Paths, name: str) -> None:
    assert messages(paths, GOOD.replace("  sizes:", f"  {name}:")) == []
    name = name.strip("'")
    bad = GOOD.replace("  sizes:", f"  '{name}':").replace("depth: [1, 2]", "depth: 0")
    assert messages(paths, bad) == [f"params.yaml: sweeps.{name}.depth: found 0; allowed: {COUNTS}"]


@pytest.mark.parametrize("name", ["2024", "true", "~"])
def test_a_sweep_whose_name_is_not_text_is_refused_because_dvc_would_skip_it(paths: Paths, name: str) -> None:
    message = f"params.yaml: sweeps.{name}: found a key that is not text; allowed: text; put the key in quotes"
    assert messages(paths, GOOD.replace("  sizes:", f"  {name}:")) == [message]


def test_repeated_keys_are_told_at_any_depth_and_their_first_value_counts(paths: Paths) -> None:
    text = edited(("seed: 9001", "seed: 9001\nseed: 3", ""), ("{relu: 0.02, ", "{relu: 0.02, relu: -1, ", ""))
    assert messages(paths, text) == [
        "params.yaml: seed: found the key a second time, in line 2; allowed: each key once (the first is in line 1)",
        "params.yaml: sweeps.sizes.learning_rate.relu: found the key a second time, in line 18; allowed: each key once "
        "(the first is in line 18)",
    ]
    config, _ = examine(paths)
    assert config is not None
    assert config.seed == 9001


def test_blocks_may_share_keys_by_anchor_and_merge(paths: Paths) -> None:
    text = GOOD.replace("  batch:\n", "  batch: &batch\n") + "  wide:\n    <<: *batch\n    width: 100\n"
    assert messages(paths, text) == []
    wide = load(paths).sweeps["wide"]
    assert (wide.width, wide.batch_size) == ((100,), {"all": (1, 10, "full")})


def test_examine_gives_the_sound_part(paths: Paths) -> None:
    paths.params.write_text(edited(*ACCEPTANCE, ("dtype: float64", "dtype: 64", "")), encoding="utf-8")
    config, _ = examine(paths)
    assert config is not None
    assert set(config.sweeps) == {"sizes", "batch", "ridge", "stream"}
    assert (config.sweeps["sizes"].width, config.sweeps["sizes"].steps) == (None, {"all": (500,)})


def test_branches_wait_for_the_table_where_only_it_knows_the_features(paths: Paths) -> None:
    branch = edited(("deep: dense 10 > relu", 'deep: "(dense 2 | relu)"', ""), ("source: function", "source: file", ""))
    branch = branch.replace("    init: assignment-stream\n", "")
    assert messages(paths, branch) == []
    assert messages(paths, branch.replace("features: null", "features: [x, y, z]")) == [], "one may be of text"


def test_a_long_value_is_cut(paths: Paths) -> None:
    [message] = messages(paths, GOOD.replace("dtype: float64", f"dtype: {'x' * 500}"))
    assert message == f"params.yaml: dtype: found '{'x' * 98}…; allowed: float64, float32"


def test_a_fault_may_stand_in_another_file() -> None:
    assert str(Fault("row 3", "''", "a number", "a.csv")) == "a.csv: row 3: found ''; allowed: a number"


def test_a_sweep_can_be_made_in_python() -> None:
    sweep = Sweep.model_validate({"activation": "relu", "depth": [1, 2], "steps": {"relu": [5]}})
    assert (sweep.activation, sweep.depth) == (("relu",), (1, 2))
    assert sweep.listed == {"depth", "steps"}


def test_import_is_cheap() -> None:
    script = "import sys, shoal.pipeline.config; print({'numpy', 'numba', 'pandas', 'mlflow'} & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout
    assert output == "set()\n"


LEAVES = ["seed", "dtype", "data.source", "data.fractions.train", "sweeps.sizes.width", "sweeps.sizes.learning_rate"]
LEAVES += ["tracking", "tracking.granularity"]
LEAVES += ["data", "sweeps", "sweeps.ridge", "sweeps.ridge.hidden_sizes", "sweeps.batch.batch_size", "data.targets"]
LEAVES += ["sweeps.stream.init", "sweeps.branches.architecture", "sweeps.batch.epochs", "sweeps.sizes.activation"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(["", "relu", "a b"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["relu", "x", ""]), inner)
)


@given(key=st.sampled_from(LEAVES), value=VALUES)
def test_any_value_anywhere_is_taken_or_told_in_single_lines(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    paths = Paths(tmp_path_factory.getbasetemp())
    paths.params.write_text(with_value(key, value), encoding="utf-8")
    config, faults = examine(paths)
    lines = [str(fault) for fault in faults]
    assert all("\n" not in line and "; allowed: " in line for line in lines)
    assert len(set(lines)) == len(lines)
    if not faults:
        assert isinstance(config, Config)
        assert load(paths) == config


@given(widths=st.lists(st.integers(-3, 9), min_size=1, unique=True))
def test_each_bad_item_is_told_and_no_other(tmp_path_factory: pytest.TempPathFactory, widths: list[int]) -> None:
    expected = [
        f"params.yaml: sweeps.sizes.width[{i}]: found {width}; allowed: {COUNTS}"
        for i, width in enumerate(widths)
        if width < 1
    ]
    assert messages(Paths(tmp_path_factory.getbasetemp()), with_value("sweeps.sizes.width", widths)) == expected


def with_value(key: str, value: object) -> str:
    """A small good file, as JSON (which YAML 1.2 contains), with `value` at `key`."""
    raw: dict[str, Any] = {
        "seed": 1,
        "dtype": "float32",
        "data": {
            "source": "function", "path": "a.csv", "targets": ["y"], "features": None,
            "fractions": {"train": 0.5, "validation": 0.25, "test": 0.25}, "split_seed": 0, "standardise": False,
        },
        "tracking": {"granularity": "cell"},
        "sweeps": {
            "sizes": {"activation": "relu", "depth": 1, "width": 5, "learning_rate": 0.1, "steps": 2},
            "ridge": {"activation": "relu", "hidden_sizes": [[5]], "optimizer": "ridge", "alpha": 1},
            "batch": {"activation": "relu", "depth": 1, "width": 5, "learning_rate": 0.1, "epochs": 2},
            "stream": {"activation": "relu", "depth": 2, "width": 100, "learning_rate": 0.1, "steps": 2},
            "branches": {"architecture": {"a": "relu"}, "learning_rate": 0.1, "steps": 2},
        },
    }  # fmt: skip
    *parents, last = key.split(".")
    inside = raw
    for parent in parents:
        inside = inside[parent]
    inside[last] = value
    return json.dumps(raw).replace("-Infinity", "-.inf").replace("Infinity", ".inf")
