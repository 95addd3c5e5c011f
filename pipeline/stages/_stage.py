"""What every stage does around its `run`: refuse bad input in one wording, and log how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipeline.config import ConfigError
from pipeline.paths import Paths
from pipeline.store import write_json


def main(name: str, run: Callable[..., dict[str, Any] | None], *arguments: str) -> None:
    """Call run(paths, *arguments) in the current folder; exit status 2 with the faults where the input is bad.

    What `run` returns goes to logs/<name>.json beside the wall time and the date; no other file knows of either.
    """
    start = time.perf_counter()
    paths = Paths()
    try:
        facts = run(paths, *arguments) or {}
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    seconds = round(time.perf_counter() - start, 3)
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(paths.log(name), {"seconds": seconds, "finished": finished, **facts})
