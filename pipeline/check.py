"""What `shoal check` finds: the faults of params.yaml, of the data it names, and of the two together."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline import data
from pipeline.config import Config, ConfigError, Fault, Sweep, examine
from pipeline.config import load as load_config
from pipeline.config.faults import below, shown
from pipeline.config.rules import branch_faults, known_features
from pipeline.paths import Paths


def check(paths: Paths) -> list[Fault]:
    """All faults at once; nothing is written."""
    try:
        config, faults = examine(paths)
    except ConfigError as error:
        return error.faults
    return faults if config is None else [*faults, *_data_faults(config, paths)]


def load(paths: Paths) -> tuple[Config, data.Dataset]:
    """What params.yaml says and the data stage wrote; raises ConfigError also where the two do not fit together."""
    config, dataset = load_config(paths), data.load(paths)
    if faults := list(faults_against(config, dataset)):
        raise ConfigError(faults)
    return config, dataset


def faults_against(config: Config, dataset: data.Dataset) -> Iterator[Fault]:
    """Faults of the sweeps that only the data can tell: batches larger than the training split, branches' units."""
    for name, sweep in config.sweeps.items():
        where = below("sweeps", name)
        yield from _batch_faults(where, sweep, len(dataset.train.x))
        if known_features(config.data) is None:
            yield from branch_faults(where, sweep, dataset.n_features)


def _data_faults(config: Config, paths: Paths) -> Iterator[Fault]:
    path = config.data.path
    if config.data.source == "function" and not (paths.root / path).is_file():
        allowed = "an existing file, relative to the folder of params.yaml (DVC watches it, whatever the source)"
        yield Fault("data.path", f"{shown(path)}, which does not exist", allowed)
    try:
        yield from faults_against(config, data.build(config, paths))
    except ConfigError as error:
        yield from error.faults


def _batch_faults(where: str, sweep: Sweep, n_samples: int) -> Iterator[Fault]:
    for activation, sizes in sweep.batch_size.items():
        place = below(where, "batch_size")
        if activation != "all":
            place = below(place, activation)
        for i, size in enumerate(sizes):
            if size != "full" and size > n_samples:
                item = below(place, i) if len(sizes) > 1 else place
                allowed = f"whole numbers from 1 to {n_samples}, the number of training samples, or full"
                yield Fault(item, shown(size), allowed)
