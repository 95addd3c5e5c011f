"""What a network is known by: a hash of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from shoal.kernels.ensemble import ENGINE, NetworkSpec
from shoal.kernels.network.laws import law_of
from shoal.kernels.network.losses import loss_of
from shoal.kernels.training.methods import METHODS
from shoal.kernels.training.schedules import SCHEDULES
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.hyperparameters import FIRST

IDENTITY_VERSION = 2
"""Raised when a network_id comes to mean something else."""

ALWAYS = ("optimizer", *FIRST, "initialiser", "replicate")
"""Fields of a specification that are in every identity, None included; so is its architecture."""


def identifier(config: Config, dataset: Dataset) -> Callable[[NetworkSpec], str]:
    """`network_id` of the networks of a study, on this machine."""
    return partial(
        network_id,
        seed=config.seed,
        dtype=config.dtype,
        data_hash=dataset.data_hash,
        validation_hash=dataset.validation_hash,
        engine=ENGINE,
    )


def network_id(spec: NetworkSpec, *, seed: int, dtype: str, data_hash: str, validation_hash: str, engine: str) -> str:
    """16 hex digits of a hash of everything that determines a network's result, to the last bit.

    The validation rows count only where the network takes validation costs.
    `engine` names the instruction set and the compiler's versions (shoal.kernels.ensemble.ENGINE).
    """
    identity = {
        "version": IDENTITY_VERSION,
        "architecture": str(spec.architecture),
        **{key: getattr(spec, key) for key in ALWAYS},
        **dict(_later(spec)),
        "seed": seed,
        "dtype": dtype,
        "data": data_hash,
        **({"validation": validation_hash} if spec.is_validated else {}),
        "engine": engine,
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _later(spec: NetworkSpec) -> Iterator[tuple[str, Any]]:
    """What came after the first identities, where it is not the default: writing a default out changes no id."""
    own = _own_numbers(spec)
    for field in fields(spec):
        value = own.get(field.name, getattr(spec, field.name))
        if field.name not in ("architecture", "hypers", *ALWAYS) and value != field.default:
            yield field.name, value
    yield from own["hypers"]


def _own_numbers(spec: NetworkSpec) -> dict[str, Any]:
    """Fields whose default depends on other fields of the specification, without what is the default there."""
    method = METHODS[spec.optimizer]
    defaults: dict[str, Mapping[str, float | None]] = {
        "hypers": {**method.hypers, **SCHEDULES[spec.schedule].hypers},
        "init_hypers": law_of(spec.initialiser).numbers,
        "loss_hypers": loss_of(spec.loss).hypers,
    }
    found: dict[str, Any] = {
        field: tuple(pair for pair in getattr(spec, field) if pair[1] != known[pair[0]])
        for field, known in defaults.items()
    }
    return found | {"weight_decay": None if spec.decay == method.weight_decay else spec.weight_decay}
