"""The loop over the steps of descent, once, for one network with samples in the lanes or eight side by side.

What differs is handed in: the passes, and what is done for each network (record, keep, stop, update). A job that is
paused keeps what it needs to go on at the same step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from shoal.kernels.compile.jit import inlined, jit
from shoal.kernels.simd.vector import small
from shoal.kernels.training.team import PAUSED, STOP, fetch


class Parts(NamedTuple):
    """What the loop is made of. `at` is where it takes place: a NamedTuple with the fields fleet, shared and job."""

    stride: int  # networks of a job
    begin: Any  # (at): the state before the first step
    begin_step: Any  # (at, step): the keys of what is drawn at random in the passes of a step
    validate: Any  # (at, validation, step): take the validation cost, keep the best parameters, say who is to stop
    pass_over_all: Any  # (at, with_gradient): the cost over all samples, and its gradient
    set_rates: Any  # (at, epoch): the learning rates; under full batch an epoch is a step
    shuffle: Any  # (at, epoch): the order of the mini-batches
    pass_over_batch: Any  # (at, low, n): the cost of samples low..low + n - 1 of that order, and its gradient
    record: Any  # (at, record): put the cost of the last pass into the curves
    keep: Any  # (at, snapshot): copy the parameters of what is still trained
    stop_diverged: Any  # (at, step, snapshot): stop what has no finite cost; returns how many networks go on at all
    update: Any  # (at, step, n): step along the gradient of the last pass, which was over n samples


@jit
def n_before(steps, n, step):
    """How many of n steps, which rise, come before one."""
    small()
    found = 0
    while found < n and steps[found] < step:
        found += 1
    return found


@jit
def copy_states(source, apart, target, target_apart, n_states, n):
    """Copy n numbers of each state of an optimizer, which lie so far apart."""
    small()
    for k in range(n_states):
        for p in range(n):
            target[k * target_apart + p] = source[k * apart + p]


def make_loop(parts: Parts) -> Any:
    """The loop as a kernel (at, control), to be inlined; it returns whether the job is done."""
    (stride, begin, begin_step, validate, pass_over_all, set_rates, shuffle, pass_over_batch, record, keep,
     stop_diverged, update) = parts  # fmt: skip

    @inlined
    def descend(at, control):
        job, steps, n, ws, first = at.job, at.fleet.steps, at.shared.n, at.ws, at.fleet.begins[at.i]
        n_steps, full = steps[job.snapshots + job.n_snapshots - 1], job.batch_size == 0
        validated = n_before(steps + job.validations, job.n_validations, first)
        recorded = n_before(steps + job.records, job.n_records, first)
        kept = n_before(steps + job.snapshots, job.n_snapshots, first)
        epoch, skipped, low, high, end, size = 0, 0, 0, n, n_steps + 1, job.n_params * stride
        begin(at)
        if 0 < first <= n_steps:
            copy_states(at.fleet.states + job.states, size, ws.states, ws.part, job.n_states, size)
            set_rates(at, job.n_factors - 1)  # that of late epochs; others set their own
            n_batches = 1 if full else (n + job.batch_size - 1) // job.batch_size
            epoch, skipped = first // n_batches, first % n_batches * job.batch_size
        for step in range(first, n_steps + 1):
            if fetch(control, STOP):
                end = step
                break
            begin_step(at, step)
            # first, as what the pass over the training samples leaves behind is needed by the update
            if validated < job.n_validations and steps[job.validations + validated] == step:
                validate(at, validated, step)
                validated += 1
            is_due = recorded < job.n_records and steps[job.records + recorded] == step
            if full or is_due:
                pass_over_all(at, full and step < n_steps)
            if is_due:
                record(at, recorded)
                recorded += 1
            while kept < job.n_snapshots and steps[job.snapshots + kept] <= step:
                if job.n_validations == 0:  # else it is the best parameters that are kept
                    keep(at, kept)
                kept += 1
            # the last step has a cost and no update: what is kept is what the last cost was of
            if step == n_steps:
                break
            if full:
                set_rates(at, step)
            else:
                if high == n:
                    set_rates(at, epoch)
                    shuffle(at, epoch)
                    high, epoch, skipped = skipped, epoch + 1, 0
                low, high = high, min(high + job.batch_size, n)
                pass_over_batch(at, low, high - low)
            if stop_diverged(at, step, kept) == 0:
                break
            update(at, step, high - low)
        if end <= n_steps and fetch(control, STOP) == PAUSED:
            copy_states(ws.states, ws.part, at.fleet.states + job.states, size, job.n_states, size)
        at.fleet.begins[at.i] = end
        return end > n_steps

    return descend
