"""Trained networks as bytes, and back: a head with lengths and a checksum, a line of JSON, arrays as they are."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.ensemble import Results

MAGIC = b"shoal\n2\n"
HEAD = struct.Struct("<8sQQ32s")
"""MAGIC, bytes of JSON, bytes of arrays, SHA-256 of what follows and of these lengths."""
IDS = "ids"
ARRAYS = (IDS, *(field.name for field in fields(Results)))
DTYPES = ("<f4", "<f8", "<i8", "|S16")


class Block(NamedTuple):
    """Networks that differ in their replicate alone, and what they are kept under: the bits of the engine (16 hex
    digits, see probes), and their ids, (n,) of 16 bytes each."""

    engine: str
    ids: np.ndarray
    results: Results

    @property
    def steps(self) -> int:
        """How many they were trained for; 0 where they take none."""
        return int(self.results.recorded_steps[-1])

    def taken(self, places: np.ndarray) -> Block:
        """Those at some places."""
        return Block(self.engine, self.ids[places], self.results.taken(places))


class DamagedError(Exception):
    """Bytes are not what was written."""


def encode(block: Block) -> bytes:
    """The record of a block."""
    return record(block.engine, {IDS: block.ids} | {name: getattr(block.results, name) for name in ARRAYS[1:]})


def record(engine: str, found: Mapping[str, np.ndarray | None]) -> bytes:
    """The record of arrays by their names, those that are there."""
    arrays = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        for name, array in found.items()
        if array is not None
    }
    about = {"engine": engine, "arrays": [[name, own.dtype.str, own.shape] for name, own in arrays.items()]}
    text = json.dumps(about).encode() + b"\n"
    parts = [text, *(array.view(np.uint8).data if array.size else b"" for array in arrays.values())]
    sizes = len(text), sum(array.nbytes for array in arrays.values())
    return b"".join([HEAD.pack(MAGIC, *sizes, _digest(*sizes, *parts)), *parts])


def length(head: bytes) -> int:
    """Bytes of the whole record that begins so; raises DamagedError where none does."""
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        raise DamagedError
    _, n_text, n_arrays, _ = HEAD.unpack_from(head)
    return HEAD.size + int(n_text) + int(n_arrays)


def decode(record: bytes) -> Block:
    """What `encode` made a record of; raises DamagedError where one bit of it is another."""
    engine, arrays = content(record, ARRAYS)
    return Block(engine, arrays.pop(IDS), Results(**arrays))


def content(record: bytes, names: Collection[str]) -> tuple[str, dict[str, Any]]:
    """The engine and arrays that a record was made of; raises DamagedError where one bit is another, or a name."""
    if length(record) != len(record):
        raise DamagedError
    _, n_text, n_arrays, digest = HEAD.unpack_from(record)
    body = memoryview(record)[HEAD.size :]
    if digest != _digest(n_text, n_arrays, body):
        raise DamagedError
    about = json.loads(bytes(body[:n_text]))
    arrays, at = {}, n_text
    for name, dtype, shape in about["arrays"]:
        if name not in names or dtype not in DTYPES:
            raise DamagedError
        arrays[name] = np.frombuffer(body, dtype, math.prod(shape), at).reshape(shape)
        at += arrays[name].nbytes
    return about["engine"], arrays


def _digest(n_text: int, n_arrays: int, *parts: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(struct.pack("<QQ", n_text, n_arrays))
    for part in parts:
        digest.update(part)
    return digest.digest()
