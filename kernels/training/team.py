"""Threads that share jobs, and threads that share one loop.

Jobs come from a queue: `control` (3,) int64 counts the jobs begun and finished, and says whether to stop.

A loop's iterations are tickets, which the thread that owns the loop and idle ones take. Every thread owns one row of
`tickets` (n_threads, 8) int64 and `finished`; 8 because a row then fills a cache line. A row of tickets holds, in its
first number, how many are left of the loop that is open, and above these bits a count of the loops so far, so that a
ticket of an old loop can never be taken for one of a new. What the loop is about must stand in memory before it is
opened. Which thread runs an iteration may not change the result.
"""

from __future__ import annotations

import sys
from typing import Any

from numba.core import types
from numba.extending import intrinsic

from shoal.kernels.compile.jit import jit

BEGUN, FINISHED, STOP = range(3)
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
def open_loop(tickets, finished, row, n):
    """Offer iterations 0..n-1 of the loop owned by thread `row`."""
    publish(finished, row * 8, 0)
    publish(tickets, row * 8, (((fetch(tickets, row * 8) >> LEFT) + 1) << LEFT) + n)


@jit
def take(tickets, row):
    """An iteration of the loop owned by `row`, to be run by the caller, or -1 if none is left."""
    while True:
        left = fetch(tickets, row * 8)
        n = left & ((1 << LEFT) - 1)
        if n == 0:
            return -1
        if exchange(tickets, row * 8, left, left - 1):
            return n - 1


@jit
def wait(finished, row, n):
    """Return when n iterations of the loop owned by `row` are finished."""
    spins = 0
    while fetch(finished, row * 8) < n:
        spins += 1
        if spins % SPINS == 0:
            give_way()
