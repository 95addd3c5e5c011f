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
    *(
        f"tests/test_activations.py::test_{law}[{name}-{{dtype}}]"
        for law in ("nan_stays_nan_and_in_its_place", "no_number_falls_out_of_its_range_and_nan_stays_nan")
        for name in ("relu", "tanh", "silu")
    ),
    *(
        f"tests/test_training.py::test_every_depth_agrees_with_the_oracle[{depth}-{{dtype}}-{name}]"
        for depth in (0, 2, 5)
        for name in ("linear", "relu", "tanh", "silu")
    ),
    *(f"tests/test_training.py::test_every_batch_size_agrees_with_the_oracle[{n}-{{dtype}}]" for n in (2, 33, 70)),
    "tests/test_training.py::test_chunks_of_samples_agree_with_the_oracle",
    "tests/test_same_bits.py::test_five_replicates_are_the_first_five_of_eight_and_of_eleven",
    "tests/test_same_bits.py::test_networks_that_diverge_leave_the_others_alone",
)
"""Tests of every way a network is trained, and of activations that go every way through a tape.

What the others compute is made of the same operations: compiling them all takes longer than everything else.
"""
SCRIPT = """
import sys, numpy, pytest
from shoal.kernels.compile import host
from shoal.kernels.training import run
assert host.HOST.name == sys.argv[1], host.HOST
assert not any(way.entry.is_ready(numpy.dtype(name)) for way in run.WAYS for name in ("float64", "float32"))
quick = ["-p", "no:cacheprovider", "-p", "no:xdist", "--assert", "plain"]
sys.exit(pytest.main([*quick, "-k", sys.argv[2], *sys.argv[3:]]))
"""


@pytest.mark.parametrize(
    ("name", "features", "dtype"), [("baseline", "", "float64"), ("avx2", "+avx2,+fma", "float32")]
)
@pytest.mark.skipif(not X86, reason="features of x86")
def test_a_narrower_machine_agrees_with_the_oracle_as_well(
    tmp_path: Path, name: str, features: str, dtype: str
) -> None:
    """A process compiles for it, which takes most of the time, and runs tests of every kind of kernel there."""
    if not all(llvm.get_host_cpu_features().get(feature[1:]) for feature in features.split(",") if feature):
        pytest.skip(f"this machine has no {name}")
    machine = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features, "XDG_CACHE_HOME": str(tmp_path)}
    tests = [test.format(dtype=dtype) for test in PORTABLE]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, name, f"{dtype} and not widths2 and not widths3", *tests],
        cwd=Path(__file__).parents[1],
        env=os.environ | machine,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert list(tmp_path.glob("shoal/*/*"))
