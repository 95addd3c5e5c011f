"""A figure that is drawn when somebody looks at it: known, before that, by all that it shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from matplotlib.figure import Figure

from shoal.pipeline.figures import style
from shoal.pipeline.provenance.content import content_hash


class Drawing:
    """What `draw` makes of its arguments, of which it keeps to what they hold: its `svg`, which may be given to it."""

    def __init__(self, draw: Callable[..., Figure], *content: Any) -> None:
        self._draw, self._content = draw, content

    @property
    def key(self) -> str:
        """The same for the same function of a module and the same contents; raises TypeError as content_hash does."""
        return content_hash([self._draw.__module__, self._draw.__qualname__, self._content])

    def figure(self) -> Figure:
        """The figure, drawn anew."""
        with style.house_style():
            return self._draw(*self._content)

    @cached_property
    def svg(self) -> str:
        """SVG text."""
        return style.svg(self.figure())
