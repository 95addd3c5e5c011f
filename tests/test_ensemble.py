"""The door: interrupts, progress and the arrays it takes. tests/test_same_bits.py has its promises,
tests/test_ensemble_refusals.py what it refuses."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from shoal.kernels import ensemble
from shoal.kernels.compile import linked
from shoal.kernels.ensemble import NetworkSpec
from shoal.kernels.training import run
from tests.fleet import FLEET, NETWORKS, X, Y, bits, spec, train
from tests.problems import SEED

# --- progress and interrupts ----------------------------------------------------------------------------------------

HUNDREDS = "dense 100 > tanh > dense 100 > tanh > dense 2"
LONG = {
    "many networks": [spec(HUNDREDS, replicate, steps=500) for replicate in range(1000)],
    "samples in lanes": [spec(HUNDREDS, batch_size=64, steps=10**8)],
    "networks in lanes": [spec(HUNDREDS, replicate, batch_size=10, steps=10**8) for replicate in range(20)],
}
"""Minutes of work, and hours."""


@pytest.mark.parametrize(
    ("specs", "times"),
    [
        ([spec("dense 2", steps=1)], 50),
        ([spec(replicate=replicate, batch_size=10) for replicate in range(11)], 20),
        (FLEET, 1),
    ],
)
def test_progress_rises_to_the_total(specs: list[NetworkSpec], times: int) -> None:
    """Also of a call that is over before anyone looks, as the small one is now and then."""
    for _ in range(times):
        seen: list[tuple[int, int, float]] = []
        train(specs, progress=lambda *told, seen=seen: seen.append(told))
        for counts in zip(*seen, strict=True):
            assert list(counts) == sorted(counts)
        assert {total for _, total, _ in seen} == {len(specs)}
        assert seen[-1] == (len(specs), len(specs), 1.0)


@pytest.mark.parametrize(("batch_size", "steps"), [(None, 100), (10, 400)])
def test_progress_is_told_while_the_compiled_call_runs(batch_size: int | None, steps: int) -> None:
    specs = [spec(HUNDREDS, replicate, steps=steps, batch_size=batch_size) for replicate in range(100)]
    seen: list[int] = []
    train(specs, progress=lambda done, total, share: seen.append(done))
    assert any(0 < done < len(specs) for done in seen)


def test_the_share_of_idle_time_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Of threads that have no network left to begin: one of three is busy here."""
    with caplog.at_level(logging.DEBUG, "shoal.kernels.training.run"):
        train([spec(HUNDREDS, steps=100, batch_size=10)], n_threads=3)
    [message] = caplog.messages
    assert 0.5 < float(message.split()[-1]) < 0.8


def test_a_note_is_given_where_kernels_have_to_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    train(FLEET)
    notes: list[str] = []
    train(FLEET, note=notes.append)
    assert notes == []
    monkeypatch.setattr(linked.Linked, "is_ready", lambda kernel, dtype: False)
    monkeypatch.setattr(run, "load_all", lambda wanted: None)
    train(FLEET, note=notes.append)
    ways = "networks in lanes, ridge readout, samples in lanes"
    assert notes == [f"compiling kernels for this machine ({ways}; float64): some seconds, once"]


def interrupted(call: Callable[[], object]) -> None:
    """The call ends by KeyboardInterrupt within seconds, and no thread goes on."""
    before, start = threading.active_count(), time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        call()
    while threading.active_count() > before and time.monotonic() - start < 10:
        time.sleep(0.01)  # a thread whose start was interrupted is waited for by nobody
    assert time.monotonic() - start < 10
    assert threading.active_count() == before


@pytest.mark.parametrize("work", LONG)
def test_an_interrupt_in_the_progress_callback_ends_the_call(work: str) -> None:
    def progress(done: int, total: int, share: float) -> None:
        raise KeyboardInterrupt

    interrupted(lambda: train(LONG[work], progress=progress))
    assert train(FLEET[:1])[0].diverged_step is None  # the door is open again


def test_an_interrupt_between_the_starts_of_two_threads_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that has been started does not go on to the end of its work, half a minute away."""

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *arguments: Any) -> Any:  # type: ignore[override]
            super().submit(*arguments)
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "ThreadPoolExecutor", Interrupted)
    interrupted(lambda: train([spec(HUNDREDS, batch_size=64, steps=300_000)], n_threads=2))


@pytest.fixture
def control_c() -> Iterator[None]:
    """Ctrl-C interrupts, as in a terminal; tests that run in the background inherit that it does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("control_c")
@pytest.mark.parametrize("work", LONG)
def test_control_c_ends_the_call(work: str) -> None:
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))

    def call() -> None:
        timer.start()
        try:
            train(LONG[work])
        finally:
            timer.join()

    interrupted(call)
    assert train(FLEET[:1])[0].diverged_step is None  # the door is open again


def test_an_error_in_the_compiled_call_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(run.Call, "run", fail)
    with pytest.raises(MemoryError, match="no room"):
        train(FLEET[:1])


# --- arrays and specs that fit ---------------------------------------------------------------------


def test_no_network_is_no_result() -> None:
    assert train([]) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"batch_size": 10},
        {"batch_size": None},
        {"optimizer": "adam", "batch_size": 64},
        {"optimizer": "ridge", "alpha": 0.1, "learning_rate": None, "steps": None},
    ],
)
def test_there_may_be_more_threads_than_networks(keys: dict[str, Any]) -> None:
    specs = [spec(NETWORKS[2], replicate, **keys) for replicate in range(2)]
    assert [bits(one) for one in train(specs, n_threads=40)] == [bits(one) for one in train(specs, n_threads=1)]


def test_arrays_of_any_layout_are_taken() -> None:
    [want] = train([FLEET[0]])
    strided = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    [got] = ensemble.train([FLEET[0]], strided, np.asfortranarray(Y), seed=SEED)
    assert bits(got) == bits(want)
    architecture, y_hat = FLEET[0].architecture, ensemble.predict(FLEET[0].architecture, want.params, X)
    read_only = want.params.copy()
    read_only.flags.writeable = False
    for params in (read_only, np.repeat(want.params, 2)[::2]):
        np.testing.assert_array_equal(ensemble.predict(architecture, params, strided), y_hat)
        grads = ensemble.gradients(architecture, params, strided, np.asfortranarray(Y))
        np.testing.assert_array_equal(grads.half_mse, ensemble.gradients(architecture, want.params, X, Y).half_mse)
