"""Threads that share jobs, and threads that share one loop.

Jobs come from a queue: `control` (4,) int64 counts the jobs begun and finished, says whether to stop, and how many
threads there are.

A loop's iterations are tickets, which the thread that owns the loop and idle ones take. Every thread has `tickets` and
`finished` of its own (TICKETS int64 each, which fill a cache line). The first number of its tickets is how many are
left of the loop that is open, and above these bits a count of the loops so far, so that a ticket of an old loop can
never be taken for one of a new. What the loop is about must stand in memory before it is opened. Which thread runs an
iteration may not change the result.
"""

from __future__ import annotations

import sys
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.jit import jit

BEGUN, FINISHED, STOP, N_THREADS = range(4)
ENDED, PAUSED = 1, 2
"""What stands in `control[STOP]` to stop for good, or to go on later."""
TICKETS = 8
"""Numbers in a cache line."""
LEFT = 16
"""Bits for the tickets that are left."""
SPINS = 64
"""Looks at another thread's progress before the processor is offered to somebody else."""


def _slot(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.gep(args[0], [args[1]])


@intrinsic
def fetch_add(typingctx: Any, array: Any, at: Any, amount: Any) -> Any:
    """array[at] += amount, atomically; returns the value before (pointer to int64)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _slot(context, builder, sig, args), args[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), codegen


@intrinsic
def fetch(typingctx: Any, array: Any, at: Any) -> Any:
    """array[at], atomically; what the writing thread wrote before is visible from here on."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load_atomic(_slot(context, builder, sig, args), ordering="acquire", align=8)

    return types.int64(array, types.int64), codegen


@intrinsic
def publish(typingctx: Any, array: Any, at: Any, value: Any) -> Any:
    """array[at] = value, atomically, for threads that `fetch` it."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store_atomic(args[2], _slot(context, builder, sig, args), ordering="release", align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), codegen


@intrinsic
def exchange(typingctx: Any, array: Any, at: Any, old: Any, new: Any) -> Any:
    """array[at] = new if it is `old`, atomically; returns whether it was."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        slot = _slot(context, builder, sig, args)
        result = builder.cmpxchg(slot, args[2], args[3], "seq_cst", "monotonic")
        return builder.extract_value(result, 1)

    return types.boolean(array, types.int64, types.int64, types.int64), codegen


give_way = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())
"""Offer the processor to another thread."""


@jit
def next_job(control, n_jobs):
    """A job that nobody has begun, or -1 if there is none or the work is to stop."""
    i = -1 if fetch(control, STOP) else fetch_add(control, BEGUN, 1)
    return i if i < n_jobs else -1


@jit
def finish_job(control):
    """Count a job as finished."""
    fetch_add(control, FINISHED, 1)


@jit
def open_loop(tickets, finished, n):
    """Offer iterations 0..n-1 of the loop that has these tickets."""
    publish(finished, 0, 0)
    publish(tickets, 0, (((fetch(tickets, 0) >> LEFT) + 1) << LEFT) + n)


@jit
def take(tickets):
    """An iteration of the loop that has these tickets, to be run by the caller, or -1 if none is left."""
    while True:
        left = fetch(tickets, 0)
        n = left & ((1 << LEFT) - 1)
        if n == 0:
            return -1
        if exchange(tickets, 0, left, left - 1):
            return n - 1


@jit
def wait(finished, n):
    """Return when n iterations of a loop are finished."""
    spins = 0
    while fetch(finished, 0) < n:
        spins += 1
        if spins % SPINS == 0:
            give_way()
