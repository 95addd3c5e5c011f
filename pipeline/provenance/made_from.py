"""What each stage makes its results from: its part of params.yaml and the files that it reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shoal.pipeline import store
from shoal.pipeline.config.data_block import FILES
from shoal.pipeline.config.faults import below
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.hashes import read_params

SERVED = ("choose", "interval")
"""Keys that say what answers, and that need not be there."""


@dataclass(frozen=True)
class MadeFrom:
    """`params` by their path in params.yaml, and the SHA-256 of `inputs` by their path below the root.

    What is not there is None. `place` is the path, below the root, of the receipt that keeps this.
    """

    place: str
    params: dict[str, Any]
    inputs: dict[str, str | None]
    root: Path = field(default=Path(), compare=False)

    def without(self, *keys: str) -> MadeFrom:
        """The same without some keys of params.yaml."""
        return replace(self, params={name: value for name, value in self.params.items() if name not in keys})

    def changes(self, now: MadeFrom) -> list[str]:
        """What is otherwise now: paths of keys of params.yaml, and of input files that both know."""
        keys = self.params.keys() | now.params.keys()
        params = (_differences(key, self.params.get(key), now.params.get(key)) for key in sorted(keys))
        files = [name for name in self.inputs.keys() & now.inputs.keys() if self.inputs[name] != now.inputs[name]]
        return [*(name for names in params for name in names), *sorted(files)]


def sweeps(paths: Paths) -> list[str]:
    """Names of the sweeps in params.yaml."""
    return list(_mapping(read_params(paths).get("sweeps")))


def data(paths: Paths) -> MadeFrom:
    """Of the data stage: the user's files count where they are read; keys that need not be there are handed on."""
    params = read_params(paths)
    block = _mapping(params.get("data"))
    is_table = block.get("source") == "file"
    files = [paths.root / str(block[key]) for key in ("path", *FILES) if is_table and block.get(key)]
    kept = {"seed": params.get("seed"), "data": block if is_table else {"source": "function"}}
    kept |= {key: params[key] for key in ("report", *SERVED) if key in params}
    return _made_from(paths, paths.data_receipt, kept, files)


def gradcheck(paths: Paths) -> MadeFrom:
    """Of the gradient check."""
    return _made_from(paths, paths.gradcheck_receipt, _of_sweeps(paths, "seed"), _data_files(paths))


def sweep(paths: Paths, name: str) -> MadeFrom:
    """Of one sweep: its own block only."""
    params = read_params(paths)
    kept = {key: params.get(key) for key in ("seed", "dtype")}
    kept[below("sweeps", name)] = _mapping(params.get("sweeps")).get(name)
    files = [paths.data / name for name in ("train.parquet", "validation.parquet", "data.json")]
    return _made_from(paths, paths.sweep_receipt(name), kept, files)


def evaluation(paths: Paths) -> MadeFrom:
    """Of the evaluation: the receipts of the sweeps stand for their results."""
    files = [*_data_files(paths), *_sweep_receipts(paths)]
    return _made_from(paths, paths.evaluation_receipt, _of_sweeps(paths, "seed"), files)


def predictions(paths: Paths) -> MadeFrom:
    """Of the choice and its predictions."""
    params = read_params(paths)
    kept = _of_sweeps(paths) | {key: params[key] for key in SERVED if key in params}
    files = [*_data_files(paths), *_sweep_receipts(paths), paths.networks]
    return _made_from(paths, paths.predictions_receipt, kept, files)


def report(paths: Paths) -> MadeFrom:
    """Of the report and its figures."""
    made = [paths.gradcheck, paths.networks, paths.cells, paths.contrasts, paths.baselines, paths.chosen]
    files = [*_data_files(paths), paths.study, *_sweep_receipts(paths), *made]
    return _made_from(paths, paths.report_receipt, _of_sweeps(paths, "seed", "dtype", "data"), files)


def _made_from(paths: Paths, place: Path, params: dict[str, Any], inputs: Iterable[Path]) -> MadeFrom:
    hashes = {paths.below_root(path): store.sha256(path) for path in inputs}
    return MadeFrom(paths.below_root(place), params, hashes, paths.root)


def _of_sweeps(paths: Paths, *keys: str) -> dict[str, Any]:
    params = read_params(paths)
    blocks = {below("sweeps", name): block for name, block in _mapping(params.get("sweeps")).items()}
    return {key: params.get(key) for key in keys} | blocks


def _data_files(paths: Paths) -> list[Path]:
    splits = ("train.parquet", "validation.parquet", "test.parquet")
    return [paths.data / name for name in ("data.json", *splits, "rows.parquet")]


def _sweep_receipts(paths: Paths) -> list[Path]:
    return [paths.sweep_receipt(name) for name in sweeps(paths)]


def _mapping(value: object) -> dict[str, Any]:
    """A mapping of params.yaml; what is none is refused by the configuration, in better words."""
    return value if isinstance(value, dict) else {}


def _differences(where: str, was: object, now: object) -> Iterator[str]:
    """Paths of the innermost keys that are not the same."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in sorted(was.keys() | now.keys()):
            yield from _differences(below(where, key), was.get(key), now.get(key))
    elif was != now:
        yield where
