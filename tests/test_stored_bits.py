"""A handful of small networks gives the bits that are stored for this engine: no commit changes them unseen.

They are some of those that tell the store of trained networks whether the engine is the same (store/entries/probes.py).
An engine (instruction set, numba, llvmlite) that has no stored bits is skipped; `python -m tests.test_stored_bits` adds
or renews its hashes in tests/bits.json, which is for new engines and for commits that mean to change bits.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shoal.kernels.ensemble import ENGINE
from shoal.pipeline.store.entries.probes import Probe, digests, of_method

FILE = Path(__file__).with_name("bits.json")
STORED: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
METHODS = [
    *(of_method("gd", way) for way in ("full batch", "batches of 50", "batches of 7", "one sample")),
    *(of_method("adam", way) for way in ("full batch", "batches of 7", "one sample")),
    of_method("ridge", "ridge"),
]
DTYPES = ("float64", "float32")


@pytest.mark.skipif(ENGINE not in STORED, reason=f"no bits are stored for {ENGINE}")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("probe", METHODS, ids=lambda probe: probe.name)
def test_networks_have_the_bits_that_are_stored_for_this_engine(probe: Probe, dtype: str) -> None:
    assert digests([probe], dtype)[probe.name] == STORED[ENGINE][f"{probe.name}, {dtype}"]


if __name__ == "__main__":
    known = {f"{name}, {dtype}": digest for dtype in DTYPES for name, digest in digests(METHODS, dtype).items()}
    FILE.write_text(json.dumps(STORED | {ENGINE: known}, indent=2) + "\n", encoding="utf-8", newline="\n")
