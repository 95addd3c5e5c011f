"""One trained network as bytes, and back: a head with lengths and a checksum, a line of JSON, arrays as they are."""

from __future__ import annotations

import hashlib
import json
import math
import struct
from typing import NamedTuple

import numpy as np

from shoal.kernels.ensemble import Trained

MAGIC = b"shoal\n1\n"
HEAD = struct.Struct("<8sQQ32s")
"""MAGIC, bytes of JSON, bytes of arrays, SHA-256 of what follows and of these lengths."""
ARRAYS = ("params", "recorded_steps", "costs", "validated_steps", "validation_costs")
DTYPES = ("<f4", "<f8", "<i8")


class Key(NamedTuple):
    """What a trained network is kept under: its id, and the bits of the engine (16 hex digits, see probes)."""

    network_id: str
    engine: str


class DamagedError(Exception):
    """Bytes are not what was written."""


def encode(key: Key, trained: Trained) -> bytes:
    """The record of a network."""
    arrays = {name: np.ascontiguousarray(array) for name in ARRAYS if (array := getattr(trained, name)) is not None}
    about = {
        **key._asdict(),
        "diverged_step": trained.diverged_step,
        "stopped_step": trained.stopped_step,
        "arrays": [[name, array.dtype.newbyteorder("<").str, array.shape] for name, array in arrays.items()],
    }
    text = json.dumps(about).encode() + b"\n"
    body = text + b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays.values())
    sizes = len(text), len(body) - len(text)
    return HEAD.pack(MAGIC, *sizes, _digest(*sizes, body)) + body


def length(head: bytes) -> int:
    """Bytes of the whole record that begins so; raises DamagedError where none does."""
    if len(head) < HEAD.size or not head.startswith(MAGIC):
        raise DamagedError
    _, n_text, n_arrays, _ = HEAD.unpack_from(head)
    return HEAD.size + int(n_text) + int(n_arrays)


def decode(record: bytes) -> tuple[Key, Trained]:
    """What `encode` made a record of; raises DamagedError where one bit of it is another."""
    if length(record) != len(record):
        raise DamagedError
    _, n_text, n_arrays, digest = HEAD.unpack_from(record)
    body = memoryview(record)[HEAD.size :]
    if digest != _digest(n_text, n_arrays, body):
        raise DamagedError
    about = json.loads(bytes(body[:n_text]))
    arrays, at = {}, n_text
    for name, dtype, shape in about["arrays"]:
        if name not in ARRAYS or dtype not in DTYPES:
            raise DamagedError
        n = math.prod(shape)
        arrays[name] = np.frombuffer(body, dtype, n, at).reshape(shape)
        at += arrays[name].nbytes
    trained = Trained(diverged_step=about["diverged_step"], stopped_step=about["stopped_step"], **arrays)
    return Key(about["network_id"], about["engine"]), trained


def _digest(n_text: int, n_arrays: int, body: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(struct.pack("<QQ", n_text, n_arrays))
    digest.update(body)
    return digest.digest()
