"""The store of trained networks: bit for bit what was put in, whatever happens to its files or to who writes them."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from shoal.kernels.ensemble import Trained
from shoal.pipeline.store.entries import Store
from shoal.pipeline.store.entries.records import ARRAYS, DamagedError, Key, decode, encode

shapes = array_shapes(max_dims=2, max_side=4, min_side=0)
numbers = st.one_of(arrays(np.float64, shapes), arrays(np.float32, shapes))  # NaN and infinity among them
steps = arrays(np.int64, array_shapes(max_dims=1, max_side=4, min_side=0))
ends = st.none() | st.integers(0, 10**9)
networks = st.builds(Trained, numbers, steps, numbers, ends, ends, st.none() | steps, st.none() | numbers)
KEY = Key("0123456789abcdef", "fedcba9876543210")


def bits(trained: Trained) -> list[object]:
    """All of it, with arrays as bytes."""
    found = [getattr(trained, name) for name in ARRAYS]
    held = [None if array is None else (array.dtype.str, array.shape, array.tobytes()) for array in found]
    return [*held, trained.diverged_step, trained.stopped_step]


def made(i: int, n: int = 50) -> tuple[Key, Trained]:
    """A network that knows its number."""
    params = np.full(n, i, np.float32)
    return Key(f"{i:016x}", KEY.engine), Trained(params, np.arange(3), np.ones((3, 1)) / (i + 1), None)


@settings(max_examples=50)
@given(networks)
def test_a_record_holds_every_bit(trained: Trained) -> None:
    key, back = decode(encode(KEY, trained))
    assert key == KEY
    assert bits(back) == bits(trained)


@settings(max_examples=50)
@given(networks, st.data())
def test_one_flipped_bit_or_a_missing_end_is_noticed(trained: Trained, data: st.DataObject) -> None:
    record = bytearray(encode(KEY, trained))
    at = data.draw(st.integers(0, len(record) - 1))
    with pytest.raises(DamagedError):
        decode(bytes(record[:at]))
    record[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedError):
        decode(bytes(record))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with 20 networks."""
    Store(tmp_path / "kept").put(dict(map(made, range(20))))
    return tmp_path / "kept"


def found(folder: Path, n: int = 20) -> set[int]:
    """Numbers of the networks that a store gives, each bit for bit."""
    kept = Store(folder).get([made(i)[0] for i in range(n)])
    for key, trained in kept.items():
        assert bits(trained) == bits(made(int(key.network_id, 16))[1])
    return {int(key.network_id, 16) for key in kept}


def test_what_was_put_is_there_in_another_process(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(folder, 30) == {*range(20)}
    other = [Key(made(i)[0].network_id, "another engine") for i in range(20)]
    assert Store(folder).get(other) == {}
    assert capsys.readouterr() == ("", "")
    assert {path.suffix for path in folder.iterdir()} == {".segment", ".db"}


def test_damaged_networks_are_set_aside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [segment] = folder.glob("*.segment")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 4
    segment.write_bytes(content[:-10])
    sound = found(folder)
    assert len(sound) == 18
    assert capsys.readouterr().err == f"{folder}: found 2 damaged of 20 networks; they are trained again\n"
    assert found(folder) == sound
    Store(folder).put(dict(made(i) for i in range(20) if i not in sound))
    assert found(folder) == {*range(20)}
    assert not capsys.readouterr().err


def damage(index: Path) -> str:
    index.write_bytes(b"SQLite no more" * 400)
    return "a damaged index"


def lose(index: Path) -> str:
    index.unlink()
    return "no index"


@pytest.mark.parametrize("harm", [damage, lose])
def test_an_index_is_made_anew_of_the_segments(folder: Path, harm: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(harm)
    what = harm(folder / "index.db")
    assert found(folder) == {*range(20)}
    line = f"{folder / 'index.db'}: found {what}; it is made anew of the networks beside it\n"
    assert capsys.readouterr().err == line
    assert found(folder) == {*range(20)}


def test_a_lost_segment_is_as_if_it_had_never_been(folder: Path) -> None:
    [segment] = folder.glob("*.segment")
    segment.unlink()
    assert found(folder) == set()


def test_several_write_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def write(which: int) -> None:
        kept = Store(tmp_path)
        for i in range(which * 10, which * 10 + 10):
            kept.put(dict([made(i)]))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert found(tmp_path, 40) == {*range(40)}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_at_any_moment_costs_what_was_not_yet_put(tmp_path: Path, seed: int) -> None:
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        kept = Store(tmp_path)
        for i in range(10_000):
            kept.put(dict([made(i)]))
            os.write(writing, b".")
        os._exit(0)
    os.close(writing)
    os.read(reading, 1)
    time.sleep(random.Random(seed).uniform(0, 0.1))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    n = 1 + len(os.read(reading, 100_000))
    os.close(reading)
    assert {*range(n)} <= found(tmp_path, n + 1)
    Store(tmp_path).put(dict([made(n + 1)]))
    assert n + 1 in found(tmp_path, n + 2)


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(("size", "what"), [(64, "file too large"), (10_000, "disk I/O error")])
def test_a_full_disk_is_said_once(folder: Path, size: int, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    kept = Store(folder)
    with full_disk(size):
        for i in range(20, 40):
            kept.put(dict([made(i, 1000)]))
    said = capsys.readouterr().err
    assert said == (
        f"{folder}: found {what}; networks are trained without being kept; SHOAL_STORE names another folder\n"
    )
    assert found(folder) == {*range(20)}


def test_a_full_disk_before_the_index_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk(3000):
        Store(tmp_path).put(dict([made(0)]))
    assert capsys.readouterr().err.count("\n") == 1
    assert found(tmp_path, 1) <= {0}


def test_pruning_keeps_what_is_named_and_came_last(folder: Path) -> None:
    kept = Store(folder)
    key, trained = made(3)
    kept.put({key._replace(engine="another"): trained})
    assert kept.prune({made(i)[0].network_id for i in (1, 3)}) == (21, 2)
    assert found(folder) == {1}
    assert bits(Store(folder).get([key._replace(engine="another")])[key._replace(engine="another")]) == bits(trained)
    assert len([*folder.glob("*.segment")]) == 1
