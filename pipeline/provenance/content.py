"""What a value holds, as a hash: the same for equal contents, whoever made them and in which process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd


def content_hash(value: object) -> str:
    """Hex SHA-256 over numbers, text, arrays, tables, mappings in their order, sequences and dataclasses.

    Raises TypeError for another kind of value, of which nobody knows what it holds. A table counts with 64 bits a row.
    """
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(len(part).to_bytes(8, "little") + part)  # so that no two values are written alike
    return digest.hexdigest()


def _parts(value: object) -> Iterator[bytes]:
    yield type(value).__name__.encode()
    match value:
        case np.ndarray() | np.generic() if value.dtype != object:
            yield from (value.dtype.str.encode(), str(value.shape).encode(), value.tobytes())
        case pd.DataFrame():
            yield from _parts([*zip(map(str, value.columns), map(str, value.dtypes), strict=True)])
            yield pd.util.hash_pandas_object(value).to_numpy().tobytes()
        case None | bool() | int() | float() | str():
            yield repr(value).encode()
        case Mapping():
            yield from _parts([*value.items()])
        case Sequence():
            yield str(len(value)).encode()
            for one in value:
                yield from _parts(one)
        case _ if is_dataclass(value):
            yield from _parts({field.name: getattr(value, field.name) for field in fields(value)})
        case _:
            raise TypeError(f"a value of {type(value).__name__} has no hash of its content")
