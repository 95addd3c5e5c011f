"""What can be made again, in a file of the store: as long as the sources that make it are the same."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from shoal.pipeline.store import seal
from shoal.pipeline.store.files import write_sealed_json
from shoal.pipeline.store.whole import before_rename


class Kept:
    """A JSON file that knows what these sources made, and nothing after an edit of them, or where it is damaged."""

    def __init__(self, path: Path, source: str) -> None:
        self._path, self._source = path, source

    def read(self) -> dict[str, Any]:
        """What was written last, or nothing: where no seal says that it is that, it is made again."""
        with suppress(OSError):  # not there yet
            if self._path.is_file() and seal.is_sealed(content := self._path.read_bytes()):
                found = json.loads(content)
                if found.get("source") == self._source:
                    return dict(found.get("kept", {}))  # another version of shoal may have had another name for it
        return {}

    def write(self, kept: dict[str, Any]) -> None:
        """Put this in the place of what was there, if that can be done: it can be had again."""
        with suppress(OSError), before_rename(lambda *_: None):  # no result of the stage, which a receipt would name
            write_sealed_json(self._path, {"source": self._source, "kept": kept})
