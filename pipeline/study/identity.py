"""What a network is known by: a hash of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from typing import Any

from shoal.kernels.ensemble import ENGINE, NetworkSpec
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
    for field in fields(spec):
        value = getattr(spec, field.name)
        if field.name not in ("architecture", "hypers", "loss_hypers", *ALWAYS) and value != field.default:
            yield field.name, value
    defaults = {**METHODS[spec.optimizer].hypers, **SCHEDULES[spec.schedule].hypers}
    yield from ((name, value) for name, value in spec.hypers if value != defaults[name])
    own = loss_of(spec.loss).hypers
    if numbers := {name: value for name, value in spec.loss_hypers if value != own[name]}:
        yield "loss_hypers", numbers
