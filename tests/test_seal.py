"""Flipped bits: whatever is read of a result file is what was written."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
import pytest

from shoal.pipeline import store
from shoal.pipeline.errors import DamagedFileError
from shoal.pipeline.paths import Paths
from shoal.pipeline.store import seal
from tests import studies


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return studies.complete(tmp_path_factory.mktemp("study"), {"ridge": studies.RIDGE}, source="file")


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_no_flip_of_weights_is_read_as_other_numbers(study: Paths) -> None:
    path = study.weights("ridge")
    content, expected, noticed = path.read_bytes(), store.read_table(path), 0
    generator = random.Random(0)
    for _ in range(2000):
        path.write_bytes(flipped(content, generator.randrange(8 * len(content))))
        try:
            pd.testing.assert_frame_equal(store.read_table(path), expected)
        except DamagedFileError as error:
            assert str(error) == f"{path}: this file is damaged; delete it, and `dvc repro` restores it"
            noticed += 1
    path.write_bytes(content)
    assert noticed > 1900, "only where the digest itself no longer looks like one is nothing to be noticed"


@pytest.mark.parametrize("kind", ["*.parquet", "*.json"])
def test_nor_of_any_other_kind_of_file(study: Paths, kind: str) -> None:
    read = store.read_json if kind == "*.json" else store.read_table
    files = [path for path in study.root.rglob(kind) if "metrics" not in path.parts]
    assert len(files) == (6 if kind == "*.json" else 13)
    generator = random.Random(0)
    for path in files:
        content, expected = path.read_bytes(), read(path)
        for _ in range(100):
            path.write_bytes(flipped(content, generator.randrange(8 * len(content))))
            try:
                found = read(path)
            except DamagedFileError:
                continue
            if isinstance(expected, pd.DataFrame):
                pd.testing.assert_frame_equal(found, expected)
            else:
                assert {key: found[key] for key in expected} == expected
        path.write_bytes(content)


def test_truncated_files_of_every_kind_are_damaged(study: Paths) -> None:
    curves = study.curves("ridge")
    readers = (store.read_table, store.LearningCurves, store.columns_of, store.count_rows)
    for path, read in (*((curves, read) for read in readers), (study.chosen, store.read_json)):
        content = path.read_bytes()
        for length in range(0, len(content), 97):
            path.write_bytes(content[:length])
            with pytest.raises(DamagedFileError):
                read(path)
        path.write_bytes(content)


def test_the_digest_is_of_the_file_with_zeros_in_its_place() -> None:
    """Known from `printf '{"sha256": "000...0"}' | sha256sum`."""
    blank = b'{"sha256": "%s"}' % seal.BLANK.encode()
    whole = seal.sealed(blank)
    assert whole == b'{"sha256": "6cb64058eb61be06faa630f856cb8e48dc6a3acffa67f0209955e9a10f4760cf"}'
    assert not seal.is_broken(whole)
    assert seal.is_broken(whole.replace(b"{", b"["))


def test_columns_and_values_named_as_the_digest_are_no_digest(tmp_path: Path) -> None:
    table = pd.DataFrame({"sha256": [64 * "0", 64 * "a"], "x": [1.0, 2.0]})
    store.write_table(tmp_path / "a.parquet", table)
    pd.testing.assert_frame_equal(store.read_table(tmp_path / "a.parquet"), table)
    store.write_sealed_json(tmp_path / "a.json", {"name": '"sha256": "' + 64 * "0"})
    assert store.read_json(tmp_path / "a.json") == {"name": '"sha256": "' + 64 * "0"}


def test_files_of_before_there_were_digests_are_read(tmp_path: Path) -> None:
    table = pd.DataFrame({"x": [1.0, 2.0]})
    table.to_parquet(tmp_path / "a.parquet")
    store.write_json(tmp_path / "a.json", {"x": 1})
    pd.testing.assert_frame_equal(store.read_table(tmp_path / "a.parquet"), table)
    assert store.read_json(tmp_path / "a.json") == {"x": 1}
