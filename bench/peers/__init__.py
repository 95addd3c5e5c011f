"""The peers that shoal is compared with, one module each; `load` says what a module offers."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

PEERS = (
    "shoal_engine",
    "numpy_hand",
    "numpy_blas",
    "numba_dot",
    "torch_hand",
    "torch_eager",
    "jax_scan",
    "sklearn_mlp",
)


def load(name: str) -> ModuleType | None:
    """The peer `name`, or None if the package that it needs is not installed.

    A peer has TITLE, PACKAGE (its import name), CONFIGURATIONS worth trying on two cores ((processes, threads of
    each), ...), SLOW (give it one replicate), EXACT_ORDER (it takes the mini-batches that it is told),
    supports(workload) and prepare(workload, specs, dtype, n_threads). What `prepare` returns trains all `specs` from
    their initial weights each time it is called, and returns their final costs (n_specs,) float64.
    """
    try:
        return import_module(f"bench.peers.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("bench", "shoal"):
            raise
        return None
