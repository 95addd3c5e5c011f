"""Floating-point operations of training: each multiply-add of a matrix product counts two, nothing else counts.

A forward pass over N samples takes 2 N sum(fan_in fan_out) over the dense layers, the gradients of the weights as many,
and the gradients of the activations as many without the layers that read the input. What takes no
steps counts its forward pass alone. A validation cost is a forward pass over the validation samples.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from shoal.kernels.ensemble import NetworkSpec, Replicates, recorded_steps
from shoal.kernels.network.tape import layout_of
from shoal.kernels.training.stopping import validation_steps


def training_flops(spec: NetworkSpec, steps: int, n_features: int, n_samples: int, n_validation: int) -> float:
    """Operations that one network takes for `steps` updates, the costs that it records and those that stop it."""
    layout = layout_of(spec.architecture, n_features)
    forward = layout.flops_per_sample
    if spec.steps is None:
        return float(forward * n_samples)
    first = layout.dense[layout.dense["source"] == 0]
    update = 3 * forward - 2 * int((first["fan_in"] * first["fan_out"]).sum())
    batch_size = spec.batch_size or n_samples
    per_step = n_samples / math.ceil(n_samples / batch_size)  # the last batch of an epoch may be smaller
    passes = len(recorded_steps(steps, spec.batch_size)) if spec.batch_size and steps else 1
    validated = 0
    if spec.is_validated:
        due = validation_steps(spec.steps, spec.batch_size, n_samples, spec.validate_every)
        validated = bisect_right(due, steps)
    return update * per_step * steps + forward * (n_samples * passes + n_validation * validated)


def sweep_flops(
    trained: Iterable[tuple[Replicates, np.ndarray]], n_features: int, n_samples: int, n_validation: int
) -> float:
    """Operations of many networks, each with the steps (n,) that it took; those that differ in steps alone ran once."""
    families: dict[NetworkSpec, list[tuple[np.ndarray, np.ndarray]]] = {}
    for (spec, numbers), steps in trained:
        taken, which = np.unique(steps, return_inverse=True)
        flops = [training_flops(spec, int(n), n_features, n_samples, n_validation) for n in taken]
        key = replace(spec.without_steps(), replicate=0)
        families.setdefault(key, []).append((numbers, np.array(flops)[which] if len(numbers) else np.zeros(0)))
    return sum(_longest(own) for own in families.values())


def _longest(runs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    """Of each replicate the most operations, summed; runs have the numbers of replicates, and their operations."""
    numbers, flops = (np.concatenate(own) for own in zip(*runs, strict=True))
    order = np.argsort(numbers, kind="stable")
    begins = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return float(np.maximum.reduceat(flops[order], begins).sum()) if len(begins) else 0.0
