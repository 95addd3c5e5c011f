"""Progress on the terminal: counts and time left. Silent where the error output is not a terminal; what draws it is
imported where it is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.console import Console


class Advance(Protocol):
    """What a block tells: how many are done of how many, which share of the work, if that is another one, and more."""

    def __call__(self, done: int, total: int, share: float | None = None, more: str = "") -> None: ...


class Forecast:
    """The time left, as long as work goes on at the pace of all of it so far; `clock` gives seconds.

    The pace is taken between the first and the last time that something was done, so that neither what came before
    (compiling kernels) nor how long ago the last report was has a part in it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)

    def tell(self, share: float) -> None:
        """Note that this part of the work is done, from 0 to 1."""
        if self._first is None:
            self._first = self._last = (self._clock(), share)
        elif share > self._last[1]:
            self._last = (self._clock(), share)

    @property
    def seconds_left(self) -> float | None:
        """None as long as nothing has been done."""
        if self._first is None or self._last[1] == self._first[1]:
            return None
        (start, none), (end, share) = self._first, self._last
        return max(0.0, (end - start) * (1 - share) / (share - none) - (self._clock() - end))

    def __str__(self) -> str:
        seconds = self.seconds_left
        return "-:--:--" if seconds is None else str(timedelta(seconds=round(seconds)))


@contextmanager
def bar(title: str, things: str = "") -> Iterator[Advance]:
    """Show a bar while the block runs, which counts `things`; the block calls what it is given."""
    if not is_watched():
        yield _unseen
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    forecast = Forecast()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TextColumn("{task.fields[left]}"),
        TextColumn("{task.fields[more]}"),
    )
    with Progress(*columns, console=_console()) as progress:
        task = progress.add_task(title, total=None, count="", left=forecast, more="")

        def advance(done: int, total: int, share: float | None = None, more: str = "") -> None:
            part = done / max(total, 1) if share is None else share
            forecast.tell(part)
            progress.update(task, completed=part, total=1.0, count=f"{done}/{total} {things}".rstrip(), more=more)

        yield advance


def _unseen(done: int, total: int, share: float | None = None, more: str = "") -> None:
    """What a block tells nobody."""


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, force_terminal=True)


def is_watched() -> bool:
    """Whether anyone sees a bar: on a terminal, or where FORCE_COLOR says so."""
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stderr is not None and sys.stderr.isatty())


def note(text: str) -> None:
    """Print one line on the terminal, nothing elsewhere."""
    if is_watched():
        _console().print(text)
