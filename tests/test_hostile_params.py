"""params.yaml that is made to take memory or time without end, or that no reader has a good word for: one line each."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from shoal.pipeline.config import ConfigError, examine, yamlfile
from shoal.pipeline.paths import Paths
from tests.bad_params import COUNTS, GOOD, edited

LEVELS = range(1, 10)
LISTS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in LEVELS)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in LEVELS)
CHAIN = "a0: &a0 1\n" + "".join(f"a{i}: &a{i} [[[[[[[[[[*a{i - 1}]]]]]]]]]]\n" for i in range(1, 6))
BOMB = (
    "found aliases that stand for more than 10,000 values; "
    "allowed: up to 10,000 values, keys included and aliases written out"
)
DEEP = "found values nested too deep; allowed: values nested up to 50 deep"
MANY = "found more than 10,000 values; allowed: up to 10,000 values, keys included"
NO_TEXT = "byte 1: found bytes that are not UTF-8 text; allowed: UTF-8"
HALF = "half of a letter; allowed: the letter itself, or its escape of eight digits, such as \\U0001F600"
DIGITS = "digits; allowed: numbers of up to 100 digits"


def refusal(path: Path, content: str | bytes) -> str:
    """The one line that a file is refused with, which takes no longer than a moment."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    start = time.perf_counter()
    with pytest.raises(ConfigError) as error:
        yamlfile.read(path)
    assert time.perf_counter() - start < 20, "on any machine"
    [line] = str(error.value).splitlines()
    return line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(LISTS, BOMB, id="lists of aliases"),
        pytest.param(MERGES, BOMB, id="merge keys of aliases"),
        pytest.param(CHAIN, f"{DEEP}, aliases written out", id="a chain of anchors"),
        pytest.param("a: &a {b: [*a]}", "found values nested without end; allowed: YAML 1.2, no alias inside the value "
                     "of its own anchor", id="a mapping inside itself"),
        pytest.param("a: " + "[" * 100_000, f"line 1: {DEEP}", id="brackets"),
        pytest.param("- " * 1000 + "1", f"line 1: {DEEP}", id="dashes"),
        pytest.param("a:\n" + "- 1\n" * 10_001, f"line 9999: {MANY}", id="a long list"),
        pytest.param("#" * 250_001, "found a file of more than 250,000 bytes; allowed: up to 250,000 bytes", id="size"),
        pytest.param("a: 1\nb: " + "9" * 10_000, f"line 2: found a number of 10,000 {DIGITS}", id="decimal"),
        pytest.param("a: 0x" + "f" * 10_000, f"line 1: found a number of 10,002 {DIGITS}", id="hexadecimal"),
        pytest.param("a: 1." + "0" * 200 + "1", f"line 1: found a number of 203 {DIGITS}", id="a fraction"),
        pytest.param('a: 1\nb: {"\\ud83d\\ude00": c}', f"line 2: found the escape \\ud83d, {HALF}", id="half a letter"),
        pytest.param("%YAML 1.3\n---\na: 1", "found a fault in the YAML (version minor part can only be 2 or 1, got "
                     "(1, 3)); allowed: YAML 1.2", id="another YAML"),
        pytest.param(bytes(range(128, 256)), NO_TEXT, id="bytes"),
        pytest.param("a: 1".encode("utf-16"), NO_TEXT, id="utf16"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_in_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    assert refusal(tmp_path / "params.yaml", text) == f"params.yaml: {message}"


def test_anchors_aliases_and_merge_keys_within_bounds_are_read(tmp_path: Path) -> None:
    """1,110 aliased values; a name of an anchor may be used again, as YAML has it."""
    path = tmp_path / "params.yaml"
    path.write_text(
        "a: &x {width: [5, 10], steps: 3}\nb: {<<: *x, steps: 4}\nc: &x 7\nd: *x\n"
        "e: &e [1, 2, 3, 4, 5, 6, 7, 8, 9]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]\ng: [*f, *f, *f, *f]\n",
        encoding="utf-8",
    )
    value, faults = yamlfile.read(path)
    digits = list(range(1, 10))
    assert faults == []
    assert value == {
        "a": {"width": [5, 10], "steps": 3}, "b": {"width": [5, 10], "steps": 4}, "c": 7, "d": 7,
        "e": digits, "f": [digits] * 10, "g": [[digits] * 10] * 4,
    }  # fmt: skip


@pytest.mark.parametrize(("n", "fits"), [(9997, True), (9998, False)])
def test_ten_thousand_values_are_the_limit(tmp_path: Path, n: int, fits: bool) -> None:
    """The mapping, its key and the list are three of them."""
    path = tmp_path / "params.yaml"
    path.write_text(f"a: [{', '.join('1' * n)}]", encoding="utf-8")
    if fits:
        assert yamlfile.read(path) == ({"a": [1] * n}, [])
    else:
        assert refusal(path, path.read_bytes()) == f"params.yaml: line 1: {MANY}"


def test_the_file_of_the_tests_is_read(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(GOOD, encoding="utf-8")
    value, faults = yamlfile.read(tmp_path / "params.yaml")
    assert faults == [] and isinstance(value, dict) and list(value) == ["seed", "dtype", "data", "tracking", "sweeps"]


# ---- keys and values that YAML has no objection to


def refusals(root: Path, *edits: tuple[str, str]) -> list[str]:
    """The faults of the good file with these edits."""
    (root / "params.yaml").write_text(edited(*((*edit, "") for edit in edits)), encoding="utf-8")
    return [str(fault) for fault in examine(Paths(root))[1]]


def test_names_have_an_end(tmp_path: Path) -> None:
    """Files are named after them."""
    for old, new in (("  sizes:", "  {}:"), ("deep:", "{}:")):
        assert refusals(tmp_path, (old, new.format("x" * 100))) == []
        [line] = refusals(tmp_path, (old, new.format("x" * 101)))
        assert line.endswith(": found a name of 101 letters; allowed: names of up to 100 letters")


def test_sweeps_that_differ_in_capitals_alone_are_one_fault(tmp_path: Path) -> None:
    assert refusals(tmp_path, ("  batch:", "  Sizes:")) == [
        "params.yaml: sweeps.Sizes: found a name like 'sizes' but for capitals; "
        "allowed: names that differ in more than that"
    ]


@pytest.mark.parametrize(
    ("value", "found"),
    [("1e400", "inf"), (".nan", "nan"), ("true", "true"), ("2001-01-01", "datetime.date(2001, 1, 1)"), ("'2'", "'2'")],
)
def test_what_is_no_number_is_one_message(tmp_path: Path, value: str, found: str) -> None:
    message = f"params.yaml: sweeps.batch.depth: found {found}; allowed: {COUNTS}"
    assert refusals(tmp_path, ("depth: 2", f"depth: {value}")) == [message]


@pytest.mark.parametrize("text", [f"dense {'9' * 9000}", "(" * 5000])
def test_a_network_with_endless_digits_or_brackets_is_one_short_message(tmp_path: Path, text: str) -> None:
    [line] = refusals(tmp_path, ("deep: dense 10 > relu", f"deep: '{text}'"))
    assert line.startswith("params.yaml: sweeps.branches.architecture.deep: found ") and len(line) < 500
