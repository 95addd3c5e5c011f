"""A handful of small networks gives the bits that are stored for this engine: no commit changes them unseen.

An engine (instruction set, numba, llvmlite) that has no stored bits is skipped; `python -m tests.test_stored_bits` adds
or renews its hashes in tests/bits.json, which is for new engines and for commits that mean to change bits.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from shoal.kernels.ensemble import ENGINE, NetworkSpec, train
from shoal.kernels.network.architecture import Architecture

FILE = Path(__file__).with_name("bits.json")
STORED: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))
PLAIN = "dense 7 > {0} > dense 9 > {0} > dense 2"
BRANCHES = "(dense 4 | relu > dense 4 | dense 4 > tanh > dense 4 > sigmoid) > tanh > dense 2"
HOW = {
    "gd, full batch": {"learning_rate": 0.05, "steps": 30},
    "gd, batches of 50": {"learning_rate": 0.05, "batch_size": 50, "steps": 30},
    "gd, batches of 7": {"learning_rate": 0.05, "batch_size": 7, "steps": 30},
    "gd, one sample": {"learning_rate": 0.01, "batch_size": 1, "steps": 30},
    "adam, full batch": {"optimizer": "adam", "learning_rate": 0.01, "steps": 30},
    "adam, batches of 7": {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 7, "steps": 30},
    "adam, one sample": {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 1, "steps": 30},
    "ridge": {"optimizer": "ridge", "alpha": 0.1},
}
DTYPES = ("float64", "float32")


def hashes(how: str, dtype: str) -> str:
    """16 hex digits over parameters and costs of a network of each kind, trained together."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(150, 3))
    y = np.stack([np.sin(x[:, 0] + x[:, 1]), x[:, 2] * x[:, 0]], axis=1)
    texts = [PLAIN.format(activation) for activation in ("linear", "relu", "tanh", "sigmoid")] + [BRANCHES]
    specs = [NetworkSpec(Architecture.parse(text), "assignment", n, **HOW[how]) for text in texts for n in (0, 1)]
    digest = hashlib.sha256()
    for trained in train(specs, x, y, seed=5, dtype=dtype):
        digest.update(trained.params.tobytes() + trained.costs.tobytes())
    return digest.hexdigest()[:16]


@pytest.mark.skipif(ENGINE not in STORED, reason=f"no bits are stored for {ENGINE}")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("how", HOW)
def test_networks_have_the_bits_that_are_stored_for_this_engine(how: str, dtype: str) -> None:
    assert hashes(how, dtype) == STORED[ENGINE][f"{how}, {dtype}"]


if __name__ == "__main__":
    known = STORED | {ENGINE: {f"{how}, {dtype}": hashes(how, dtype) for how in HOW for dtype in DTYPES}}
    FILE.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8", newline="\n")
