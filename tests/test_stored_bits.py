"""A handful of small networks gives the bits that are stored for this engine: no commit changes them unseen.

They are those that tell the store of trained networks whether the engine is still the same (store/entries/probes.py).
An engine (instruction set, numba, llvmlite) that has no stored bits is skipped; `python -m tests.test_stored_bits` adds
or renews its hashes in tests/bits.json, which is for new engines and for commits that mean to change bits.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from shoal.kernels.ensemble import ENGINE
from shoal.pipeline.store.entries.probes import FEW, WAYS, Probe, digests, of_method, probes_of
from tests.test_probes import kinds

FILE = Path(__file__).with_name("bits.json")
STORED: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
OPTIMIZERS = ("gd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw")
METHODS = [of_method(optimizer, way) for optimizer in OPTIMIZERS for way in WAYS] + [of_method("ridge", "ridge")]
DTYPES = ("float64", "float32")


def others(way: str) -> list[Probe]:
    """A probe of every kind but the methods, for networks that are trained in this way."""
    found = [probe for spec in kinds(way) for probe in probes_of(spec, 20 if way == FEW else 150)[1:]]
    return list({probe.name: probe for probe in found}.values())


def hashes(way: str, dtype: str) -> str:
    """16 hex digits over all of them."""
    found = digests(others(way), dtype)
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


pytestmark = pytest.mark.skipif(ENGINE not in STORED, reason=f"no bits are stored for {ENGINE}")


@pytest.mark.parametrize("dtype", DTYPES)
def test_networks_of_every_method_have_the_bits_that_are_stored_for_this_engine(dtype: str) -> None:
    found = {f"{name}, {dtype}": digest for name, digest in digests(METHODS, dtype).items()}
    assert found == {name: STORED[ENGINE].get(name) for name in found}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", [*WAYS, "ridge"])
def test_so_do_those_of_every_other_kind(way: str, dtype: str) -> None:
    assert hashes(way, dtype) == STORED[ENGINE][f"others, {way}, {dtype}"]


if __name__ == "__main__":
    by_dtype = {dtype: digests(METHODS, dtype) for dtype in DTYPES}
    known = {f"{probe.name}, {dtype}": by_dtype[dtype][probe.name] for probe in METHODS for dtype in DTYPES}
    known |= {f"others, {way}, {dtype}": hashes(way, dtype) for way in [*WAYS, "ridge"] for dtype in DTYPES}
    FILE.write_text(json.dumps(STORED | {ENGINE: known}, indent=2) + "\n", encoding="utf-8", newline="\n")
