"""The pictures of a report: those that the store has from the report before are not drawn again."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from shoal.pipeline import progress
from shoal.pipeline.copies import spread
from shoal.pipeline.figures import letters
from shoal.pipeline.figures.drawing import Drawing
from shoal.pipeline.provenance.hashes import package_hash
from shoal.pipeline.report.document.typesetting import pictures
from shoal.pipeline.store.entries.kept import Kept

NAME = "pictures.json"


@contextmanager
def drawn(drawings: Sequence[Drawing], folder: Path) -> Iterator[Callable[[], list[bytes]]]:
    """In here copies of this process draw; gives what has the PNG of each drawing at last, which has its SVG then.

    They are kept in this folder for the next report, and no others with them.
    """
    kept, keys = Kept(folder / NAME, _source()), [drawing.key for drawing in drawings]
    known: dict[str, list[str]] = kept.read()
    new = {key: drawing for key, drawing in zip(keys, drawings, strict=True) if key not in known}

    def finished() -> list[bytes]:
        with progress.bar("report: figures") as advance:
            svgs = [svg.decode() for svg in rest(advance)]
        for key, svg, png in zip(new, svgs, pictures(svgs), strict=True):
            known[key] = [svg, b64encode(png).decode()]
        for key, drawing in zip(keys, drawings, strict=True):
            drawing.svg = known[key][0]
        kept.write({key: known[key] for key in keys})
        return [b64decode(known[key][1]) for key in keys]

    with spread(_svg, list(new.values())) as rest:
        yield finished


def _svg(drawing: Drawing) -> bytes:
    return drawing.svg.encode()


def _source() -> str:
    """All that pictures depend on beside what they show: sources, versions, and fonts, by the size of their files."""
    versions = {name: version(name) for name in ("matplotlib", "typst", "numpy", "pandas")}
    fonts = {name: (str(path), path.stat().st_size) for name, (path, _) in letters.families().items()}
    return f"{package_hash()}, {versions}, {fonts}"
