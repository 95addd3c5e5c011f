"""What a network is known by: a hash of everything that determines its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

import numpy as np

from shoal.kernels.ensemble import ENGINE, NetworkSpec, Replicates
from shoal.kernels.network.laws import law_of
from shoal.kernels.network.losses import loss_of
from shoal.kernels.training.methods import METHODS
from shoal.kernels.training.schedules import SCHEDULES
from shoal.pipeline.config import Config
from shoal.pipeline.data import Dataset
from shoal.pipeline.hyperparameters import FIRST

IDENTITY_VERSION = 3
"""Raised when a network_id comes to mean something else."""

ALWAYS = ("optimizer", *FIRST, "initialiser", "replicate")
"""Fields of a specification that are in every identity, None included; so is its architecture."""


def identifier(config: Config, dataset: Dataset) -> Callable[[Replicates], np.ndarray]:
    """`network_ids` of the networks of a study, on this machine."""
    return partial(
        network_ids,
        seed=config.seed,
        dtype=config.dtype,
        data_hash=dataset.data_hash,
        validation_hash=dataset.validation_hash,
        engine=ENGINE,
    )


def network_id(spec: NetworkSpec, **world: Any) -> str:
    """16 hex digits of a hash of everything that determines a network's result, to the last bit: see `network_ids`."""
    return str(network_ids(Replicates(spec, np.array([spec.replicate])), **world)[0].decode())


def network_ids(
    networks: Replicates, *, seed: int, dtype: str, data_hash: str, validation_hash: str, engine: str
) -> np.ndarray:
    """The ids of networks that differ in their replicate alone, (n,) of 16 bytes each.

    The validation rows count only where the networks take validation costs. `engine` names the instruction set and the
    compiler's versions (shoal.kernels.ensemble.ENGINE). What the networks have in common before the replicate is hashed
    once.
    """
    spec = networks.spec
    identity = {
        "version": IDENTITY_VERSION,
        "architecture": str(spec.architecture),
        **{key: getattr(spec, key) for key in ALWAYS},
        **dict(_later(spec)),
        "replicate": None,
        "seed": seed,
        "dtype": dtype,
        "data": data_hash,
        **({"validation": validation_hash} if spec.is_validated else {}),
        "engine": engine,
    }
    head, tail = (part.encode() for part in json.dumps(identity, sort_keys=True).split('"replicate": null'))
    common = hashlib.sha256(head + b'"replicate": ')
    ids = np.empty(len(networks.numbers), "S16")
    for i, number in enumerate(networks.numbers.tolist()):
        own = common.copy()
        own.update(b"%d%b" % (number, tail))
        ids[i] = own.hexdigest()[:16]
    return ids


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
