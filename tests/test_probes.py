"""Probes of the engine: each can be trained, a kind has a name of its own, and a network depends on its own kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shoal.kernels.ensemble import NetworkSpec, initial_params
from shoal.kernels.network.architecture import ACTIVATIONS, Architecture
from shoal.kernels.network.laws import BIASES, INITIALISERS
from shoal.kernels.network.losses import LOSSES, loss_of
from shoal.kernels.training.methods import METHODS
from shoal.kernels.training.regularise import KINDS
from shoal.kernels.training.schedules import SCHEDULES
from shoal.pipeline.store.entries.probes import DROPOUT, FEW, GROUPS, NUMBERS, PLAIN, WAYS, how, probes_of, samples

STEPLESS = [name for name, method in METHODS.items() if "steps" not in method.needs]


def kinds(way: str) -> Iterator[NetworkSpec]:
    """A network of every kind that is trained in this way."""
    plain = NetworkSpec(
        Architecture.parse(PLAIN.format("tanh")), "he_normal", 0, **how(way if way in METHODS else "gd", way)
    )
    for text in (*map(PLAIN.format, ACTIVATIONS), DROPOUT, GROUPS):
        yield replace(plain, architecture=Architecture.parse(text))
    for name in INITIALISERS:
        yield replace(plain, initialiser=name)
    for bias in BIASES:
        yield replace(plain, bias=bias)
    if way in METHODS:
        return
    for name in sorted(METHODS.keys() - set(STEPLESS)):
        yield replace(plain, optimizer=name)
    for loss in LOSSES:
        yield replace(plain, loss=loss)
    for name, schedule in SCHEDULES.items():
        own = tuple((number, NUMBERS[number]) for number in schedule.hypers)
        for warmup in (0, 2):
            yield replace(plain, schedule=name, hypers=own, warmup=warmup)
    for l2, clip, decay in KINDS:
        yield replace(plain, l2=0.1 * l2, clip_norm=0.1 if clip else None, weight_decay=0.1 * decay)
    yield replace(plain, keep="best")
    yield replace(plain, patience=3)


@pytest.mark.parametrize("way", [*WAYS, *STEPLESS])
def test_every_probe_can_be_trained_and_is_known_by_its_name(way: str) -> None:
    found = {}
    for spec in kinds(way):
        for probe in probes_of(spec, 20 if way == FEW else 150):
            assert found.setdefault(probe.name, probe) == probe
    for probe in found.values():
        data = samples(probe.data)
        for spec in probe.specs:
            spec.check(*data.shape)
            loss_of(spec.loss).check(data.y)
            assert len(initial_params(spec, data.x.shape[1], len(data.x), 1))
    assert all(name.endswith(way) for name in found)


def names(text: str, n_samples: int = 1000, **keys: object) -> list[str]:
    spec = NetworkSpec(Architecture.parse(text), "assignment", 0, **({"learning_rate": 0.1, "steps": 9} | keys))  # type: ignore[arg-type]
    return [probe.name for probe in probes_of(spec, n_samples)]


def test_a_network_depends_on_its_own_kinds_alone() -> None:
    plain = "dense 8 > relu > dense 1"
    assert names(plain) == ["gd, full batch", "large, full batch"]
    assert names(plain, 20) == ["gd, few samples", "large, few samples"]
    assert names(plain, batch_size=1, optimizer="adam") == ["adam, one sample", "large, one sample"]
    assert names("dense 8 > gelu > dense 1", batch_size=32) == [
        "gd, batches of 7",
        "large, batches of 7",
        "gelu, batches of 7",
    ]
    assert names(plain, batch_size=33, loss="huber", l2=0.1, keep="best", schedule="cosine")[2:] == [
        f"{name}, batches of 50" for name in ("loss huber", "schedule cosine", "l2", "validation")
    ]
    assert names(plain, optimizer="ridge", alpha=1.0, steps=None, learning_rate=None) == ["ridge", "large, ridge"]
