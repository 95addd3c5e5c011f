"""Small studies in folders of their own: a params.yaml, a table, and the stages up to predict."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import store
from shoal.pipeline.figures import style
from shoal.pipeline.paths import Paths
from shoal.pipeline.report.document import album
from shoal.pipeline.stages import data, evaluate, predict, report, sweep
from shoal.pipeline.study.so_far import SoFar

ROOT = Path(__file__).parent.parent
TRACKING = {"granularity": "cell"}
SIZES = {
    "activation": ["relu", "tanh"],
    "depth": [1, 2],
    "width": [3, 5],
    "learning_rate": {"relu": 0.02, "tanh": 0.05},
    "steps": 20,
    "replicates": 3,
}
LONG = SIZES | {"depth": 2, "width": 60, "steps": 1_000_000, "replicates": 1}
"""Minutes of training, of which a job of the kernels is a large part."""
RIDGE = {"optimizer": "ridge", "alpha": 0.1, "activation": ["relu", "linear"], "depth": 2, "width": 4, "replicates": 2}
BATCH = {
    "optimizer": "adam",
    "activation": "relu",
    "hidden_sizes": [[4], [4, 3]],
    "learning_rate": 0.02,
    "batch_size": [50, "full"],
    "steps": 1000,
}
RATES = {
    "activation": "tanh",
    "depth": 1,
    "width": 4,
    "learning_rate": [0.01, 0.1],
    "steps": [5, 20],
    "replicates": 2,
}
BRANCHES = {
    "architecture": {"scalar": "(dense 1 | relu > dense 1)", "hidden": "(dense 3 | tanh > dense 3 > relu > dense 3)"},
    "learning_rate": 0.02,
    "epochs": 20,
    "replicates": 2,
}
SWEEPS: Mapping[str, Any] = {
    "sizes": SIZES,
    "ridge": RIDGE,
    "batch": BATCH,
    "rates": RATES,
    "branches": BRANCHES,
}
"""Every kind of sweep; none of its networks diverges."""


def write(
    root: Path,
    sweeps: Mapping[str, Any] = SWEEPS,
    dtype: str = "float64",
    report: Mapping[str, Any] | None = None,
    **keys: Any,
) -> Paths:
    """Write params.yaml with these sweeps, a `report` block and keys of the data block, and the table beside it."""
    block: dict[str, Any] = {"source": "function", "path": "input/example.csv"}
    block |= {"targets": ["range_m", "height_m"], "features": None}
    block |= {"fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}, "split_seed": 0, "standardise": True}
    params = {"seed": 9001, "dtype": dtype, "data": block | keys, "tracking": TRACKING, "sweeps": dict(sweeps)}
    if report is not None:
        params["report"] = report
    (root / "params.yaml").write_text(json.dumps(params), encoding="utf-8")
    (root / "input").mkdir(exist_ok=True)
    throws().to_csv(root / "input" / "example.csv", index=False)
    return Paths(root)


def keyed(paths: Paths, **keys: Any) -> Paths:
    """The study with these keys of params.yaml."""
    params = json.loads(paths.params.read_text(encoding="utf-8"))
    paths.params.write_text(json.dumps(params | keys), encoding="utf-8")
    return paths


def copied(study: Paths, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of the study below `folder`, as the current folder."""
    monkeypatch.chdir(shutil.copytree(study.root, folder / "copy"))
    return Paths()


def throws() -> pd.DataFrame:
    """300 throws from level ground, two features and two targets: the files in `input/` are the user's."""
    rng = np.random.default_rng(7)
    speed, angle = rng.uniform(5, 50, 300), rng.uniform(5, 85, 300)
    far, high = (speed**2 * np.sin(2 * np.radians(angle)) / 9.81, (speed * np.sin(np.radians(angle))) ** 2 / 19.62)
    table = pd.DataFrame({"speed_m_s": speed, "angle_deg": angle, "range_m": far, "height_m": high})
    return table.round(4)


def train(paths: Paths, sweeps: Iterable[str]) -> Paths:
    """Run the data stage and the sweeps."""
    data.run(paths)
    for name in sweeps:
        sweep.run(paths, name)
    return paths


def watched(monkeypatch: pytest.MonkeyPatch) -> list[SoFar]:
    """Let sweeps run as where somebody looks on, with time to look at every network: a list of what each has come to,
    once for each chunk."""
    told = list[SoFar]()

    class Watched(SoFar):
        def add(self, groups: Any, seconds: float) -> None:
            told.append(self)
            super().add(groups, 1e6)

    monkeypatch.setattr(sweep, "SoFar", Watched)
    monkeypatch.setattr(sweep.progress, "is_watched", lambda: True)
    return told


def complete(root: Path, sweeps: Mapping[str, Any] = SWEEPS, dtype: str = "float64", **keys: Any) -> Paths:
    """Write a study and run it up to predict."""
    return complete_written(write(root, sweeps, dtype, **keys), sweeps)


def complete_written(paths: Paths, sweeps: Iterable[str]) -> Paths:
    """Run a study up to predict."""
    train(paths, sweeps)
    evaluate.run(paths)
    predict.run(paths)
    return paths


def report_undrawn(paths: Paths) -> None:
    """Run the report stage, with figures that are made but not drawn, which is half of its time."""
    blank = '<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt"/>'
    with patch.object(style, "svg", lambda figure: blank), patch.object(album, "_source", lambda: "undrawn"):
        report.run(paths)


def without_gradcheck(paths: Paths) -> None:
    """A made-up table of the gradient check, which a report needs."""
    checks = {"architecture": "a", "activation": "relu", "tensor": "W1", "n_coordinates": 1}
    checks |= dict.fromkeys(("max_difference", "max_gradient", "relative_error"), 0.0)
    store.write_table(paths.gradcheck, pd.DataFrame([checks]))


def files(root: Path) -> dict[str, bytes]:
    """Every file below `root` with its contents; those of the store of trained networks are no results."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(".shoal/")}


def refusal(call: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says before it exits with status 2; it prints no result and changes no file."""
    before = files(Path())
    with pytest.raises(SystemExit) as end:
        call()
    assert end.value.code == 2
    assert files(Path()) == before
    out, err = capsys.readouterr()
    assert not out
    return err


def forward(architecture: str, params: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Outputs (n, n_outputs) of a plain network for x (n, n_features), from its notation and flat parameter row."""
    functions: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "relu": lambda z: np.maximum(z, 0),
        "tanh": np.tanh,
        "linear": lambda z: z,
    }
    for layer in architecture.split(" > "):
        if layer in functions:
            x = functions[layer](x)
            continue
        fan_out, fan_in = int(layer.removeprefix("dense ")), x.shape[1]
        W, b, params = np.split(params, [fan_out * fan_in, fan_out * (fan_in + 1)])
        x = x @ W.reshape(fan_out, fan_in).T + b
    assert params.size == 0
    return x
