"""Whether the engine still gives the same bits: hashes of small networks of each kind, and what a network has of them.

A probe is a few small networks of one kind. A network depends on the probes of its method, its activations, its loss
and so on, each in the way that it is trained: few kernels are compiled for probes alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from shoal.kernels.compile import sources
from shoal.kernels.ensemble import ENGINE, NetworkSpec, Samples, Trained, train_on
from shoal.kernels.network.architecture import Architecture, Dropout, Group, every_layer
from shoal.kernels.network.laws import STREAM
from shoal.kernels.training.groups import MINIBATCH_TILE
from shoal.kernels.training.methods import METHODS
from shoal.kernels.training.run import Note
from shoal.kernels.training.schedules import SCHEDULES

FULL, FEW = "full batch", "few samples"
WAYS = {FULL: None, FEW: None, "batches of 50": 50, "batches of 7": 7, "one sample": 1}
"""Ways in which networks are trained, with a batch size each."""
COMMON = ("linear", "relu", "tanh", "sigmoid")
PLAIN = "dense 7 > {0} > dense 9 > {0} > dense 2"
BRANCHES = "(dense 4 | relu > dense 4 | dense 4 > tanh > dense 4 > sigmoid) > tanh > dense 2"
GROUPS = "dense 6 > (skip | relu > dense 6) > (dense 4 > relu & dense 3 > tanh) > dense 2"
DROPOUT = "dense 7 > relu > dropout 0.2 > dense 9 > tanh > dense 2"
LARGE = "dense 100 > relu > dense 100 > tanh > dense 2"
"""Several tiles of samples, register tiles of every size, and slices of an update."""
NUMBERS = {"learning_rate": 0.01, "steps": 30, "alpha": 0.1, "every": 2.0, "gamma": 0.5}
SEED = 5


class Probe(NamedTuple):
    """Networks of one kind, and the name of the data set that they are trained on."""

    name: str
    specs: tuple[NetworkSpec, ...]
    data: str = "plain"


def source() -> str:
    """Hex SHA-256 of all that the bits of a probe may depend on: while it is the same, so are they."""
    own = Path(__file__).read_bytes()
    return hashlib.sha256(f"{sources.source_hash()}, {ENGINE}, numpy {np.__version__}, ".encode() + own).hexdigest()


def way_of(spec: NetworkSpec, n_samples: int) -> str:
    """One of WAYS, or the method where that makes no steps."""
    if spec.steps is None:
        return spec.optimizer
    if spec.batch_size is None:
        return FEW if n_samples <= MINIBATCH_TILE else FULL
    if spec.batch_size == 1:
        return "one sample"
    return "batches of 7" if spec.batch_size <= MINIBATCH_TILE else "batches of 50"


LARGER_STEPS = {"gd": {"learning_rate": 0.05}}
"""Of methods that NUMBERS would hardly move, where a step is the mean over several samples."""


def how(optimizer: str, way: str) -> dict[str, Any]:
    """What a specification has of a method and a way."""
    found: dict[str, Any] = {key: NUMBERS[key] for key in METHODS[optimizer].needs} | {"optimizer": optimizer}
    if "steps" in found:
        found |= {"steps": 30, "batch_size": WAYS[way]}
    if way != "one sample":
        found |= LARGER_STEPS.get(optimizer, {})
    return found


def of_method(optimizer: str, way: str) -> Probe:
    """The networks that a method is known by."""
    texts = [*map(PLAIN.format, COMMON), BRANCHES]
    keys = how(optimizer, way)
    specs = [NetworkSpec(Architecture.parse(text), "assignment", n, **keys) for text in texts for n in (0, 1)]
    return Probe(optimizer if way == optimizer else f"{optimizer}, {way}", tuple(specs), _rows("plain", way))


def probes_of(spec: NetworkSpec, n_samples: int) -> tuple[Probe, ...]:
    """What a network, trained on so many samples, has in common with probes."""
    layers = [*every_layer(spec.architecture.layers)]
    return _probes(
        spec.optimizer,
        way_of(spec, n_samples),
        tuple(name for name in spec.architecture.activations if name not in COMMON),
        (any(isinstance(layer, Dropout) for layer in layers), any(isinstance(layer, Group) for layer in layers)),
        spec.loss,
        (spec.schedule, spec.warmup > 0),
        tuple(spec.regularised),
        spec.is_validated,
        (spec.initialiser, spec.bias),
    )


@lru_cache(maxsize=256)
def _probes(optimizer: str, way: str, *kinds: Any) -> tuple[Probe, ...]:
    return (of_method(optimizer, way), *_others(optimizer if way == optimizer else "gd", way, *kinds))


def _others(
    optimizer: str,
    way: str,
    activations: tuple[str, ...],
    layers: tuple[bool, bool],
    loss: str,
    rates: tuple[str, bool],
    regularised: tuple[bool, ...],
    is_validated: bool,
    begin: tuple[str, str | None],
) -> Iterator[Probe]:
    def probe(name: str, text: str, kind: str = "plain", initialiser: str = "assignment", **keys: Any) -> Probe:
        spec = NetworkSpec(Architecture.parse(text), initialiser, 0, **(how(optimizer, way) | keys))
        return Probe(f"{name}, {way}", (spec,), _rows(kind, way))

    large: dict[str, Any] = (
        {} if way == optimizer else {"steps": 3} | ({"batch_size": 700} if way == "batches of 50" else {})
    )
    yield probe("large", LARGE, "many", **large)
    for name in activations:
        yield probe(name, PLAIN.format(name))
    for is_there, name, text in zip(layers, ("dropout", "groups"), (DROPOUT, GROUPS), strict=True):
        if is_there:
            yield probe(name, text)
    if loss != "squared":
        yield probe(f"loss {loss}", PLAIN.format("tanh"), "shares" if loss == "cross_entropy" else "plain", loss=loss)
    schedule, is_warmed = rates
    if schedule != "constant" or is_warmed:
        own = tuple((name, NUMBERS[name]) for name in SCHEDULES[schedule].hypers)
        yield probe(f"schedule {schedule}", PLAIN.format("tanh"), schedule=schedule, hypers=own, warmup=2)
    if any(regularised):
        asked = dict(zip(("l2", "clip_norm", "weight_decay"), regularised, strict=True))
        numbers: dict[str, Any] = {name: 0.01 for name, is_asked in asked.items() if is_asked}
        yield probe(" and ".join(numbers), PLAIN.format("tanh"), **numbers)
    if is_validated:
        yield probe("validation", PLAIN.format("tanh"), keep="best", patience=5, validate_every=2)
    initialiser, bias = begin
    if initialiser == STREAM:
        yield probe(STREAM, str(Architecture.plain([100, 100], "relu", 1)), "line", STREAM)
    elif (initialiser, bias) != ("assignment", None):
        yield probe(f"{initialiser} and {bias}", PLAIN.format("tanh"), initialiser=initialiser, bias=bias)


def _rows(kind: str, way: str) -> str:
    return f"{kind}, few" if way == FEW else kind


@lru_cache(maxsize=8)
def samples(name: str) -> Samples:
    """A data set by its name; they have no more in common with a user's than their numbers' kind."""
    kind, _, few = name.partition(", ")
    generator = np.random.default_rng(1)
    x = generator.normal(size=(1500 if kind == "many" else 150, 3))
    y = np.stack([np.sin(x[:, 0] + x[:, 1]), x[:, 2] * x[:, 0]], axis=1)
    if kind == "shares":
        y = np.stack([x[:, 0] > 0, x[:, 0] <= 0], axis=1).astype(float)
    if kind == "line":
        x, y = x[:, :1], y[:, :1]
    n = 20 if few else len(x)
    return Samples(x[:n], y[:n], validation=Samples(x[-40:], y[-40:]))


def digests(probes: Sequence[Probe], dtype: str, note: Note | None = None) -> dict[str, str]:
    """16 hex digits over the results of each probe, by its name; all are trained together."""
    names = list(dict.fromkeys(probe.data for probe in probes))
    pairs = [(spec, names.index(probe.data)) for probe in probes for spec in probe.specs]
    results = iter(
        train_on([spec for spec, _ in pairs], [samples(name) for name in names], [which for _, which in pairs],
                 seed=SEED, dtype=dtype, note=note)
    )  # fmt: skip
    return {probe.name: _digest([next(results) for _ in probe.specs]) for probe in probes}


def engine(digests: Mapping[str, str]) -> str:
    """16 hex digits over the digests of all probes that a network depends on."""
    text = ", ".join(f"{name}: {digest}" for name, digest in sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def engines(networks: Sequence[tuple[NetworkSpec, int]], dtype: str) -> list[str]:
    """The bits of this engine as far as each network, trained on so many samples, depends on them, from probes that are
    trained for it now."""
    of = [probes_of(*one) for one in networks]
    known = digests(list({probe.name: probe for own in of for probe in own}.values()), dtype)
    return [engine({probe.name: known[probe.name] for probe in own}) for own in of]


def _digest(results: Sequence[Trained]) -> str:
    digest = hashlib.sha256()
    for trained in results:
        digest.update(trained.params.tobytes() + trained.costs.tobytes())
        if trained.validation_costs is not None:
            digest.update(trained.validation_costs.tobytes())
    return digest.hexdigest()[:16]
