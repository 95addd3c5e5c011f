"""The store of trained networks: bit for bit what was put in, whatever happens to its files or to who writes them."""

from __future__ import annotations

import math
import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.kernels.ensemble import Results
from shoal.pipeline.store.entries import Store
from shoal.pipeline.store.entries.records import ARRAYS, Block, DamagedError, decode, encode

ENGINE = "fedcba9876543210"


def random_block(seed: int) -> Block:
    """Any bits, those of NaN and infinity among them, and any numbers of things, none among them."""
    generator = np.random.default_rng(seed)
    n, n_params, n_steps, n_validated = generator.integers(0, 5, 4).tolist()

    def of(dtype: Any, *shape: int) -> Any:
        return np.frombuffer(generator.bytes(math.prod(shape) * np.dtype(dtype).itemsize), dtype).reshape(shape)

    ends = [of(np.int64, n) for _ in range(3)]
    validated = (of(np.int64, n_validated), of(np.float64, n, n_validated, 2), of(np.int64, n))
    params, costs = of((np.float32, np.float64)[seed % 2], n, n_params), of(np.float64, n, n_steps, 2)
    results = Results(params, of(np.int64, n_steps), costs, *ends, *(validated if n_validated else ()))
    return Block(ENGINE, of("S16", n), results)


blocks = st.builds(random_block, st.integers(0, 10**9))


def bits(block: Block) -> list[object]:
    """All of it, with arrays as bytes."""
    found = [block.ids, *(getattr(block.results, name) for name in ARRAYS[1:])]
    return [block.engine, *(None if own is None else (own.dtype.str, own.shape, own.tobytes()) for own in found)]


def made(*numbers: int, n_params: int = 50) -> Block:
    """Networks that know their numbers."""
    own = np.array(numbers)
    params, costs = np.repeat(own[:, np.newaxis].astype(np.float32), n_params, axis=1), np.ones((len(own), 3, 1))
    costs /= (own + 1)[:, np.newaxis, np.newaxis]
    results = Results(params, np.arange(3), costs, np.full(len(own), 3), *[np.full(len(own), -1)] * 2)
    return Block(ENGINE, np.array([f"{i:016x}" for i in numbers], "S16"), results)


@settings(max_examples=50)
@given(blocks)
def test_a_record_holds_every_bit(block: Block) -> None:
    assert bits(decode(encode(block))) == bits(block)


@settings(max_examples=50)
@given(blocks, st.data())
def test_one_flipped_bit_or_a_missing_end_is_noticed(block: Block, data: st.DataObject) -> None:
    record = bytearray(encode(block))
    at = data.draw(st.integers(0, len(record) - 1))
    with pytest.raises(DamagedError):
        decode(bytes(record[:at]))
    record[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedError):
        decode(bytes(record))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with 20 networks, five to a block."""
    Store(tmp_path / "kept").put([made(*range(i, i + 5)) for i in range(0, 20, 5)])
    return tmp_path / "kept"


def found(folder: Path, n: int = 20) -> set[int]:
    """Numbers of the networks that a store gives, each bit for bit."""
    wanted = made(*reversed(range(n)))
    [(is_there, results)] = Store(folder).get([(ENGINE, wanted.ids)])
    if results is not None:
        assert bits(Block(ENGINE, wanted.ids[is_there], results)) == bits(wanted.taken(np.flatnonzero(is_there)))
    return {n - 1 - int(i) for i in np.flatnonzero(is_there)}


def test_what_was_put_is_there_in_another_process(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(folder, 30) == {*range(20)}
    [(is_there, results)] = Store(folder).get([("another engine", made(*range(20)).ids)])
    assert not is_there.any() and results is None
    assert capsys.readouterr() == ("", "")
    assert {path.suffix for path in folder.iterdir()} == {".segment", ".db"}


def test_damaged_networks_are_set_aside(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [segment] = folder.glob("*.segment")
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 4
    segment.write_bytes(content[:-10])
    sound = found(folder)
    assert len(sound) == 10
    assert capsys.readouterr().err == f"{folder}: found 10 damaged of 20 networks; they are trained again\n"
    assert found(folder) == sound
    Store(folder).put([made(*(i for i in range(20) if i not in sound))])
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
            kept.put([made(i)])

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
            kept.put([made(i)])
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
    Store(tmp_path).put([made(n + 1)])
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
            kept.put([made(i, n_params=1000)])
    said = capsys.readouterr().err
    assert said == (
        f"{folder}: found {what}; networks are trained without being kept; SHOAL_STORE names another folder\n"
    )
    assert found(folder) == {*range(20)}


def test_a_full_disk_before_the_index_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with full_disk(3000):
        Store(tmp_path).put([made(0)])
    assert capsys.readouterr().err.count("\n") == 1
    assert found(tmp_path, 1) <= {0}


def test_pruning_keeps_what_is_named_and_came_last(folder: Path) -> None:
    kept = Store(folder)
    anew = made(3)._replace(engine="another")
    kept.put([anew])
    assert kept.prune({f"{i:016x}" for i in (1, 3)}) == (21, 2)
    assert found(folder) == {1}
    [(_, results)] = Store(folder).get([(anew.engine, anew.ids)])
    assert results is not None and bits(anew._replace(results=results)) == bits(anew)
    assert len([*folder.glob("*.segment")]) == 1


def test_of_networks_that_were_put_twice_the_later_ones_count(folder: Path) -> None:
    later = made(7, 3)._replace(results=made(107, 103).results)
    Store(folder).put([later])
    [(_, results)] = Store(folder).get([(ENGINE, made(2, 3, 7).ids)])
    assert results is not None and results.params[:, 0].tolist() == [2, 103, 107]
