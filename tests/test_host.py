"""Instruction sets: which one is chosen, and that the kernels are right on those narrower than this machine's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm
import numba
import pytest

from shoal.kernels.compile import host

X86 = not llvm.get_process_triple().startswith(("aarch64", "arm64"))
AVX512 = "+avx512f,+avx512vl,+avx512dq"


@pytest.mark.parametrize(
    ("cpu", "features", "expected"),
    [
        ("generic", None, "baseline"),
        ("generic", "", "baseline"),
        ("nocona", None, "baseline"),
        (None, "+sse4.2,+avx", "baseline"),
        (None, "+avx2", "baseline"),
        (None, "-avx2,+fma", "baseline"),
        (None, "+avx2,+fma", "avx2"),
        ("haswell", f"+fma,+avx2,{AVX512.replace('+avx512dq', '-avx512dq')}", "avx2"),
        (None, f"+fma,+avx2,{AVX512}", "avx512"),
        ("host", None, host.HOST.name),
        (None, None, host.HOST.name),
    ],
)
@pytest.mark.skipif(not X86, reason="features of x86")
@pytest.mark.skipif("NUMBA_CPU_NAME" in os.environ, reason="another instruction set than the host's is asked for")
def test_the_widest_that_the_features_allow_is_chosen(
    monkeypatch: pytest.MonkeyPatch, cpu: str | None, features: str | None, expected: str
) -> None:
    monkeypatch.setattr(numba.config, "CPU_NAME", cpu)
    monkeypatch.setattr(numba.config, "CPU_FEATURES", features)
    assert host.instruction_set().name == expected


@pytest.mark.parametrize("triple", ["aarch64-unknown-linux-gnu", "arm64-apple-darwin24.1.0"])
def test_arm_has_its_own(monkeypatch: pytest.MonkeyPatch, triple: str) -> None:
    monkeypatch.setattr(llvm, "get_process_triple", lambda: triple)
    assert host.instruction_set() is host.NEON


def test_the_engine_names_what_bits_depend_on() -> None:
    assert host.ENGINE.split(", ") == [host.HOST.name, f"numba {numba.__version__}", f"llvmlite {llvmlite.__version__}"]


PORTABLE = (
    "tests/test_activations.py",
    "tests/test_training.py::test_every_depth_agrees_with_the_oracle",
    "tests/test_training.py::test_every_batch_size_agrees_with_the_oracle",
    "tests/test_training.py::test_chunks_of_samples_agree_with_the_oracle",
    "tests/test_readout.py",
    "tests/test_same_bits.py::test_five_replicates_are_the_first_five_of_eight_and_of_eleven",
    "tests/test_same_bits.py::test_networks_that_diverge_leave_the_others_alone",
)
"""Tests of everything that is compiled, for each dtype."""
SCRIPT = """
import sys, numpy, pytest
from shoal.kernels.compile import host
from shoal.kernels.training import run
assert host.HOST.name == sys.argv[1], host.HOST
assert not any(way.entry.is_ready(numpy.dtype(name)) for way in run.WAYS for name in ("float64", "float32"))
sys.exit(pytest.main(["-p", "no:cacheprovider", "-k", sys.argv[2], *sys.argv[3:]]))
"""


@pytest.mark.parametrize(
    ("name", "features", "dtype"), [("baseline", "", "float64"), ("avx2", "+avx2,+fma", "float32")]
)
@pytest.mark.skipif(not X86, reason="features of x86")
def test_a_narrower_machine_agrees_with_the_oracle_as_well(
    tmp_path: Path, name: str, features: str, dtype: str
) -> None:
    """A process compiles for it, which takes most of the time, and runs tests of all kernels there.

    Units in the last place are those of machines that fuse a product with a sum: elsewhere 1 - a a cancels.
    """
    if not all(llvm.get_host_cpu_features().get(feature[1:]) for feature in features.split(",") if feature):
        pytest.skip(f"this machine has no {name}")
    machine = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, f"{dtype} and not widths2 and not widths3 and not last_place", *PORTABLE],
        cwd=Path(__file__).parents[1],
        env=os.environ | machine,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert list(tmp_path.glob("shoal/*/*"))
