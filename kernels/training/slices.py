"""One network with samples in the lanes: the norm of its gradient and its update, slice by slice; see cuts.py."""

from __future__ import annotations

from shoal.kernels.compile.jit import inlined
from shoal.kernels.training.cuts import aligned, n_chunks, slice_of, stripe_of
from shoal.kernels.training.regularise import add_weights, collect, multiply
from shoal.kernels.training.update import update


@inlined
def norm_slice(own, fleet, job, task, part):
    """Collect one slice of the gradient, with the l2 penalty's, in its first part, and add up its squares."""
    begin, end = slice_of(job, part)
    if job.penalise:
        add_weights(job.penalise, fleet.tapes + job.ops, job.n_ops, fleet.params + job.params, begin, end,
                    fleet.l2 + task.i, own.grads)  # fmt: skip
    own.squares[part] = 0.0
    chunks = n_chunks(task.n, job, stripe_of(own.a))
    collect(job.collect, own.grads + begin, end - begin, chunks, aligned(job.n_params), own.squares + part)


@inlined
def update_slice(own, fleet, job, task, part):
    """Update one slice of the parameters from the partial gradients of a pass over n samples.

    Where the gradient is clipped, `norm_slice` has made it one.
    """
    begin, end = slice_of(job, part)
    ops, params, chunks = fleet.tapes + job.ops, fleet.params + job.params, n_chunks(task.n, job, stripe_of(own.a))
    if job.clip:
        multiply(job.clip, own.grads + begin, end - begin, own.clip)
        chunks = 1
    elif job.penalise:
        add_weights(job.penalise, ops, job.n_ops, params, begin, end, fleet.l2 + task.i, own.grads)
    if job.decay:
        add_weights(job.decay, ops, job.n_ops, params, begin, end, own.shrink, params)
    update(job.update, params + begin, end - begin, own.grads + begin, chunks, aligned(job.n_params),
           own.states + begin, own.part, own.rates, own.numbers)  # fmt: skip
