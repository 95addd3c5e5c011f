"""Programs that are killed and interrupted at random moments, and run again: `make kills` (some minutes).

The sweep is a small copy of `sizes`, with chunks that are as short beside it as those of a sweep beside `sizes`.
After each kill it is run again; its files have to be those of a run that was left alone, to the bit.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from shoal.kernels.ensemble import Replicates
from shoal.pipeline.begin.study import begin
from shoal.pipeline.execution import local
from shoal.pipeline.stages import _stage, data, sweep
from shoal.pipeline.store.entries import Store
from shoal.pipeline.store.entries.begun import ChunkKeeper
from tests import interrupts, studies

SIZES = {
    "activation": ["relu", "tanh"],
    "depth": [1, 2, 3],
    "width": [5, 10, 25, 50],
    "learning_rate": 0.02,
    "steps": 200,
    "replicates": 4,
}
N_NETWORKS = 96
LONG = {"activation": ["relu", "tanh"], "hidden_sizes": [[50, 50]], "learning_rate": 0.001, "optimizer": "adam"}
LONG |= {"steps": 40_000, "batch_size": 50, "keep": "best"}
"""Two networks that take some seconds."""
SECONDS = 0.1
"""Of work in a chunk, beside some seconds of it in all, and from one pause of a long chunk to the next."""
BEGUN = "begun.txt"
"""A line for each chunk: how many networks it has."""
SWEEP = [sys.executable, "-m", __spec__.name if __spec__ else "tests.kills", "sweep", "sizes"]
DVC = [sys.executable, "-m", "dvc", "repro", "sweep@sizes"]
AT_MOST = 0.10
"""Networks that are trained more than once, as a share of all."""


def small_chunks(name: str) -> None:
    """The sweep stage, which writes down what it begins to train."""
    train_replicates = local.train_replicates

    def told(wanted: Sequence[Replicates], *of: Any, **options: Any) -> Any:
        with Path(BEGUN).open("a", encoding="utf-8") as file:
            file.write(f"{sum(len(numbers) for _, numbers in wanted)}\n")
        return train_replicates(wanted, *of, **options)

    local.Threads.seconds, local.train_replicates = SECONDS, told  # type: ignore[attr-defined]
    ChunkKeeper.seconds = SECONDS
    _stage.main(f"sweep-{name}", sweep.run, name)


def start(command: list[str], root: Path, **options: Any) -> subprocess.Popen[str]:
    """A program in a session of its own, as in a terminal of its own."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # as in an active environment
    environment = os.environ | {"PYTHONPATH": str(studies.ROOT), "PATH": path}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(command, cwd=root, env=environment, text=True, start_new_session=True, **pipes | options)


def ended(command: list[str], root: Path) -> str:
    """What a program says that ends well."""
    program = start(command, root)
    said = program.communicate(timeout=600)[0]
    if program.returncode:
        raise AssertionError(f"{root}: {' '.join(command[1:])} ended with {program.returncode}: {said}")
    return said


def kill(program: subprocess.Popen[str]) -> None:
    """SIGKILL for a program and all below it, one after another."""
    below = []
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(program.pid).children(recursive=True)
    for process in [psutil.Process(program.pid), *below]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    program.wait()
    psutil.wait_procs(below)


def of_sizes(folder: Path) -> Path:
    """A study before its sweep."""
    paths = studies.write(folder, {"sizes": SIZES})
    data.run(paths)
    return folder


def of_dvc(folder: Path) -> Path:
    """The same as a project of DVC."""
    studies.write(folder, {})
    begin(str(folder / "input" / "example.csv"), folder / "study", ["range_m", "height_m"])
    root = studies.write(folder / "study", {"sizes": SIZES}).root
    stages = (root / "dvc.yaml").read_text(encoding="utf-8")
    own = stages.replace("sh stage.sh sweep ${key}", " ".join([*SWEEP[:-1], "${key}"]))
    (root / "dvc.yaml").write_text(own, encoding="utf-8")
    ended([*DVC[:-1], "data"], root)
    return root


def results(root: Path) -> dict[str, bytes]:
    """The files of the sweep; its receipt too."""
    return studies.files(root / "results")


def mended(root: Path, command: list[str]) -> str:
    """The next run, after what README.md says of files of DVC's own that a kill has left empty."""
    for name in (".dvc/tmp/rwlock", "dvc.lock"):
        path = root / name
        if path.exists() and not path.stat().st_size:
            print(f"  {name} is empty")
            path.unlink()
    return ended(command, root)


def kills(command: list[str], make: Callable[[Path], Path], n: int, seed: int) -> None:
    """Kill a program n times, each time from the beginning, and run it again."""
    rng, repeated, n_killed = random.Random(seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        before = make(Path(folder))
        alone = shutil.copytree(before, Path(folder) / "alone")
        began = time.monotonic()
        ended(command, alone)
        seconds, wanted = time.monotonic() - began, results(alone)
        while n_killed < n:
            root = shutil.copytree(before, Path(folder) / "killed")
            program, moment = start(command, root, stdout=subprocess.DEVNULL), rng.uniform(0, seconds)
            with suppress(subprocess.TimeoutExpired):
                program.wait(moment)
            if program.returncode is None:
                kill(program)
                n_killed += 1
                mended(root, command)
                assert results(root) == wanted, f"kill {n_killed}: other files"
                n_kept, n_sound = Store(root / ".shoal").set_damaged_aside()
                assert n_kept == n_sound == N_NETWORKS, f"kill {n_killed}: {n_sound} of {n_kept} sound"
                again = sum(map(int, (root / BEGUN).read_text(encoding="utf-8").split())) - N_NETWORKS
                repeated += again
                print(f"  {n_killed}: after {moment:.1f} of {seconds:.1f} s; {again} networks again", flush=True)
            shutil.rmtree(root)
    share = repeated / (n * N_NETWORKS)
    print(f"  {n} kills, the same files each time; {share:.1%} of the networks trained more than once")
    assert share < AT_MOST


def on_their_way(n: int, seed: int) -> None:
    """Kill a sweep of long networks, n of them up to three times each before they end."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        before.mkdir()
        data.run(studies.write(before, {"sizes": LONG}))
        alone = shutil.copytree(before, Path(folder) / "alone")
        began = time.monotonic()
        ended(SWEEP, alone)
        seconds, wanted = time.monotonic() - began, results(alone)
        for k in range(n):
            root, left = shutil.copytree(before, Path(folder) / "killed"), 0
            for _ in range(3):
                program = start(SWEEP, root, stdout=subprocess.DEVNULL)
                with suppress(subprocess.TimeoutExpired):
                    program.wait(rng.uniform(0, seconds))
                if program.returncode is None:
                    kill(program)
                left += bool([*root.glob(".shoal/*.begun")])
            ended(SWEEP, root)
            assert results(root) == wanted, f"kill {k + 1}: other files"
            assert not [*root.glob(".shoal/*.begun")], f"kill {k + 1}: networks on their way"
            print(f"  {k + 1}: 3 kills, {left} of them in the middle of a network; the same files", flush=True)
            shutil.rmtree(root)


TOURS: dict[str, tuple[Callable[[int, int], None], float]] = {
    "stage": (partial(kills, SWEEP, of_sizes), 1.0),
    "dvc": (partial(kills, DVC, of_dvc), 0.4),
    "long": (on_their_way, 0.1),
    "interrupts": (interrupts.tour, 0.1),
}
"""What is done, and how often, as a share of N."""


def main(words: list[str]) -> None:
    """All tours, or those named; N (50) times, at moments that SEED gives again."""
    n = int(os.environ.get("N", "50"))
    seed = int(os.environ.get("SEED", random.SystemRandom().randrange(2**32)))
    for name in words or TOURS:
        tour, share = TOURS[name]
        print(f"{name}: SEED={seed}", flush=True)
        tour(max(1, round(share * n)), seed)


if __name__ == "__main__":
    if sys.argv[1:2] == ["sweep"]:
        small_chunks(*sys.argv[2:])
    else:
        main(sys.argv[1:])
