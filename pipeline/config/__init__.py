"""params.yaml, read and checked: the whole of it, or what is sound of it with every fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from shoal.pipeline.config import rules, yamlfile
from shoal.pipeline.config.data_block import DataConfig, Fractions
from shoal.pipeline.config.faults import ConfigError, Fault, below, faults_of
from shoal.pipeline.config.fields import Choose
from shoal.pipeline.config.schema import Config, Execution, ReportConfig
from shoal.pipeline.config.sweep_block import Sweep
from shoal.pipeline.paths import Paths

__all__ = [
    "Choose",
    "Config",
    "ConfigError",
    "DataConfig",
    "Execution",
    "Fault",
    "Fractions",
    "ReportConfig",
    "Sweep",
    "examine",
    "load",
]

Model = TypeVar("Model", bound=BaseModel)

_STAND_INS = {"dtype": "float64", "tracking": {"granularity": "cell"}, "sweeps": {}}
"""Values of keys whose faults hide none of the others."""


def load(paths: Paths) -> Config:
    """Read params.yaml; raises ConfigError with all its faults."""
    config, faults = examine(paths)
    if config is None or faults:
        raise ConfigError(faults)
    return config


def examine(paths: Paths) -> tuple[Config | None, list[Fault]]:
    """What is sound of params.yaml, and all its faults.

    The sweeps come without their faulty keys; the whole is None where the seed or the data section is not sound.
    Raises ConfigError where the file cannot be read at all.
    """
    raw, faults = yamlfile.read(paths.params)
    sound: Any = raw
    try:
        Config.model_validate(raw)
    except ValidationError as error:
        faults += faults_of(error, Config, raw)
        sound = _without(raw, [details["loc"] for details in error.errors()])
    faults += _faults_between_keys(raw, sound)
    config = _attempt(Config, _STAND_INS | {key: value for key, value in sound.items() if value != {}})
    return config and config.with_losses(), faults


def _without(raw: object, locs: Iterable[tuple[str | int, ...]]) -> dict[str, Any]:
    """`raw` without what is at fault: a key of a sweep or of the data section, a whole block, any other key."""
    plain = [tuple(part for part in loc if part != "[key]") for loc in locs]
    refused = {loc[: 3 if loc[:1] == ("sweeps",) else 2] for loc in plain}

    def keep(value: object, place: tuple[str, ...]) -> Any:
        if not isinstance(value, dict) or len(place) == 3:
            return value
        return {key: keep(inner, (*place, key)) for key, inner in value.items() if (*place, key) not in refused}

    return keep(raw, ()) if isinstance(raw, dict) else {}


def _faults_between_keys(raw: Any, sound: dict[str, Any]) -> Iterator[Fault]:
    if sound.get("sweeps") == {} == raw["sweeps"]:
        yield Fault("sweeps", "{}", f"{Config.model_fields['sweeps'].description}")
    yield from rules.name_faults("sweeps", sound.get("sweeps", {}))
    report = _attempt(ReportConfig, sound.get("report"))
    if report and isinstance(raw.get("sweeps"), dict) and raw["sweeps"]:
        yield from rules.part_faults(report.parts, raw["sweeps"])
    data = _attempt(DataConfig, sound.get("data"))
    if data:
        yield from rules.interval_faults(sound.get("interval"), data)
    for name, block in sound.get("sweeps", {}).items():
        sweep = Sweep.model_validate(block)
        yield from rules.sweep_faults(below("sweeps", name), raw["sweeps"][name], sweep, data)


def _attempt(model: type[Model], raw: object) -> Model | None:
    try:
        return model.model_validate(raw)
    except ValidationError:
        return None
