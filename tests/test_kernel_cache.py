"""Compiled kernels are kept once a machine, never stale, never damaged, and never in the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shoal.kernels.compile import cache

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "kernels"
SCRIPT = """
import numpy as np
import shoal.kernels.training.run
from shoal.kernels.compile.linked import kernels
from shoal.kernels.compile.warmup import load_all
from shoal.kernels.training.update import PAIRS
dtype = np.dtype("float64")
update = PAIRS["samples", "gd"].update
wanted = [kernels["samples", "put"], update, kernels["samples", "weight_gradient"]]
load_all([(kernel, dtype) for kernel in wanted])
p, g, rate = np.ones(16), np.full(16, 2.0), np.array([0.25])
update(dtype, p, 16, g, 1, 0, p, 0, rate, rate)
print(p.sum(), sum(1 - compiled.cache_hits for kernel in wanted for compiled in kernel.compiled.values()))
"""
"""Descends from 16 ones by 0.25 times 2 each, and says where it came to and how many kernels it had to compile."""


def copy_of_the_kernels(folder: Path, seconds: int = 0) -> Path:
    """The sources in another folder, as old as `seconds` after 1970."""
    shutil.copytree(KERNELS, folder / "shoal" / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "shoal" / "__init__.py").touch()
    for path in folder.rglob("*.py"):
        os.utime(path, (seconds, seconds))
    return folder


def descend(sources: Path, base: Path, variable: str = "NUMBA_CACHE_DIR") -> tuple[float, int, list[str]]:
    """Run SCRIPT with the kernels below `sources`: the sum, the number compiled, and the lines on standard error."""
    environment = {key: value for key, value in os.environ.items() if key not in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")}
    environment |= {variable: str(base), "PYTHONPATH": str(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=sources, env=environment, capture_output=True, text=True, check=True
    )
    total, compiled = done.stdout.split()
    return float(total), int(compiled), done.stderr.splitlines()


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below the folder: when it was written, and what it holds."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of caches that one copy of the kernels has filled."""
    base = tmp_path_factory.mktemp("base")
    total, compiled, said = descend(copy_of_the_kernels(tmp_path_factory.mktemp("first")), base)
    assert (total, said) == (8.0, [])
    assert compiled > 0
    return base


@pytest.fixture
def base(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(filled, tmp_path / "base"))


def test_another_folder_with_another_time_compiles_nothing(base: Path, tmp_path: Path) -> None:
    before = contents(base)
    assert descend(copy_of_the_kernels(tmp_path / "second", seconds=10**9), base) == (8.0, 0, [])
    assert contents(base) == before
    assert len(before) == 3


def test_a_variable_moves_the_folder_and_does_not_rename_it(base: Path) -> None:
    """What was filled under NUMBA_CACHE_DIR is found under XDG_CACHE_HOME, by the name that this process has for it."""
    assert descend(ROOT, base, "XDG_CACHE_HOME") == (8.0, 0, [])
    assert [path.relative_to(base).parts for path in base.glob("*/*")] == [("shoal", cache.FOLDER.name)]


def test_an_edit_in_what_a_kernel_inlines_is_never_stale(base: Path, tmp_path: Path) -> None:
    """x y + z becomes x y + 2 z; the source file of the kernel itself stays as it is."""
    sources = copy_of_the_kernels(tmp_path / "second")
    edited, line = (
        sources / "shoal" / "kernels" / "simd" / "instructions.py",
        'return call(builder, "fmuladd", x, y, {})',
    )
    text = edited.read_text()
    assert text.count(line.format("z")) == 1
    edited.write_text(text.replace(line.format("z"), line.format("builder.fadd(z, z)")))
    assert descend(sources, base)[0] == 16 * (2 - 0.25 * 2)
    assert descend(ROOT, base) == (8.0, 0, [])


@pytest.mark.parametrize("occupied", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_costs_time_and_one_line(occupied: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sources = copy_of_the_kernels(tmp_path / "sources")
    before = contents(sources)
    total, compiled, [line] = descend(sources, tmp_path / occupied)
    assert (total, compiled) == (8.0, 3)
    assert line == (
        f"{tmp_path / occupied / 'shoal' / cache.FOLDER.name}: compiled kernels cannot be kept here (Not a directory), "
        "and every start compiles them again; NUMBA_CACHE_DIR names another folder"
    )
    assert contents(sources) == before


def flip(path: Path, bit: int) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


DAMAGES: tuple[Callable[[Path], object], ...] = (
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: flip(path, 4 * path.stat().st_size),
)
"""Emptied, truncated, and a flipped bit in the middle."""


def test_damaged_files_are_compiled_anew_and_replaced(base: Path) -> None:
    paths = sorted(path for path in base.rglob("*") if path.is_file())
    for path, damage in zip(paths, DAMAGES, strict=True):
        damage(path)
    total, _, said = descend(ROOT, base)
    assert (total, said) == (8.0, [])
    assert descend(ROOT, base) == (8.0, 0, [])


def test_a_folder_in_the_place_of_a_file_is_told_and_passed_over(base: Path) -> None:
    [path] = base.rglob("shoal_samples_update_gd_*")
    path.unlink()
    path.mkdir()
    total, compiled, [line] = descend(ROOT, base)
    assert (total, compiled) == (8.0, 1)
    assert line.startswith(f"{path.parent}: compiled kernels cannot be kept here ({path.name}: Is a directory)")
    assert len(list(path.parent.iterdir())) == 3, "no temporary file is left"


def test_no_damage_to_a_file_passes_for_a_kernel(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole, it does; emptied, truncated, another kernel's, or with any bit flipped, it does not."""
    symbol = "shoal_samples_update_gd_float64"
    [source] = filled.rglob(f"{symbol}-*")
    [other] = filled.rglob("shoal_samples_put_float64-*")
    path = Path(shutil.copy(source, tmp_path))
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    kernel, whole = cache.KernelCache(symbol), path.read_bytes()
    assert kernel.holds()
    for damaged in (b"", whole[:20], whole[: cache.DIGEST_BYTES], whole[:-1], whole + b"\0", other.read_bytes()):
        path.write_bytes(damaged)
        assert not kernel.holds()
    path.write_bytes(whole)
    for bit in np.random.default_rng(0).integers(8 * len(whole), size=500).tolist():
        flip(path, bit)
        assert not kernel.holds()
        flip(path, bit)
    assert kernel.holds()
