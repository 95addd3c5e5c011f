"""params.yaml that is made to take memory or time without end, or that no reader has a good word for: one line each."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pipeline.config import ConfigError, yamlfile
from tests.bad_params import GOOD

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
