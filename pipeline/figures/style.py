"""How every figure looks, and its bytes: the same for the same contents, on any day and machine."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, LogLocator

from shoal.kernels.network.architecture import ACTIVATIONS
from shoal.pipeline.figures import letters

PALETTE = (
    ("#009E73", "green"), ("#0072B2", "blue"), ("#D55E00", "orange"), ("#CC79A7", "pink"), ("#56B4E9", "sky blue"),
    ("#E69F00", "amber"), ("#F0E442", "yellow"), ("#332288", "indigo"), ("#882255", "wine"), ("#999933", "olive"),
    ("#44AA99", "teal"), ("#661100", "brown"), ("#888888", "grey"),
)  # fmt: skip
"""Okabe and Ito's colours and some of Paul Tol's, which the colour-blind tell apart; activations by their place."""
ACTIVATION_COLOURS = {name: PALETTE[i % len(PALETTE)][0] for i, name in enumerate(ACTIVATIONS)}
COLOUR_NAMES = {name: PALETTE[i % len(PALETTE)][1] for i, name in enumerate(ACTIVATIONS)}
OTHER_COLOURS = ("#E69F00", "#56B4E9", "#000000", "#CC79A7", "#009E73", "#0072B2", "#D55E00")
"""Architectures get Okabe and Ito's colours in this order."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)))
HIGHEST = 1e200
"""Where larger numbers are drawn on a logarithmic axis: above, float64 has no room for its margins and ticks."""
ZERO = "v"
"""The mark of a 0 at the lower edge of a logarithmic axis."""
GREY = "#888888"
WIDTH = 8.4
NARROW = 5.6
"""Widths in inches of figures with several panels in a row (806 px on screen, all of an A4 page), and with one."""
POINTS = 72
"""Points of an inch."""

MOST_POINTS = 2000
"""Points of a panel: each is a mark of some 50 bytes, and more would cover each other."""
LONGEST = 72
"""Letters of a name that figures have room for."""

FEW_DECADES = 3
"""Decades of a logarithmic axis up to which each has its ticks between powers: more cost time and are not read."""
PLAIN = (1e-2, 1e6)
"""Ends of a logarithmic axis whose numbers need no powers."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_STYLE: dict[str, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "axes.linewidth": 0.7,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "shoal",
    "path.simplify": True,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Settings under which figures are made and written, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", _STYLE | {"font.family": list(letters.families())}]):
        yield


def svg(figure: Figure) -> str:
    """The figure as SVG text, letters as outlines."""
    buffer = io.StringIO()
    with house_style():
        _lay_out(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return buffer.getvalue()


def width(svg: str) -> float:
    """The width of SVG text of this module in inches."""
    return float(svg.partition(' width="')[2].partition("pt")[0]) / POINTS


def _lay_out(figure: Figure) -> None:
    """Fix the places of the panels once, as finding them takes half of the time of drawing."""
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def colour(series: str, all_series: Sequence[str]) -> str:
    """The colour of an activation, always the same, or of an architecture by its place among `all_series`."""
    return ACTIVATION_COLOURS.get(series) or OTHER_COLOURS[list(all_series).index(series) % len(OTHER_COLOURS)]


def panels(n_rows: int, n_columns: int, width: float, row_height: float, **shared: Any) -> tuple[Figure, np.ndarray]:
    """An empty figure of `width` inches and its axes, shape (n_rows, n_columns)."""
    figure = Figure(figsize=(width, row_height * n_rows + 0.35), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, **shared)


class _Powers(LogFormatter):
    """10⁻³ and 2×10⁻³ in plain letters: nothing has to be read as a formula, so that a $ in a name is a $.

    Along an axis that lies within PLAIN, 0.02 and 620.
    """

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos)
        if x == 0 or not text:
            return text
        low, high = sorted(self.axis.get_view_interval() if self.axis else (x, x))
        if PLAIN[0] <= low and high <= PLAIN[1]:
            return f"{x:g}"
        mantissa, exponent = f"{x:.2e}".split("e")
        power = f"10{str(int(exponent)).translate(_RAISED)}"
        return power if float(mantissa) == 1 else f"{float(mantissa):g}×{power}"


def log_y(axes: Axes) -> None:
    """Make the y axis logarithmic."""
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=FEW_DECADES))
    axes.yaxis.set_major_formatter(_Powers())
    axes.yaxis.set_minor_formatter(_Powers())


def log_x_from_zero(axes: Axes) -> None:
    """Make the x axis logarithmic from 1 on, with 0 on it."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.5)
    axes.xaxis.set_major_formatter(_Powers())


def log_scale_if_wide(axes: Axes, values: np.ndarray) -> None:
    """Make the y axis logarithmic where the positive finite values span more than one decade."""
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size and positive.max() > 10 * positive.min():
        log_y(axes)


def mark_zeros(axes: Axes) -> None:
    """Mark at the lower edge where what is drawn is 0, which has no place on a logarithmic y axis."""
    for line in list(axes.lines) if axes.get_yscale() == "log" else []:
        x, y = (np.asarray(values, float) for values in line.get_data())
        if (y == 0).any():
            edge = axes.get_xaxis_transform()
            axes.plot(x[y == 0], y[y == 0], ZERO, color=line.get_color(), transform=edge, clip_on=False)


def name(text: str) -> str:
    """A name as a figure shows it: a long one on several lines, of a very long one the middle is left out."""
    text = letters.shown(text)
    if len(text) > LONGEST:
        text = f"{text[: LONGEST * 2 // 3]} … {text[-LONGEST // 3 :]}"
    return "\n".join(textwrap.wrap(text, 18))


def thinned(n: int, most: int = MOST_POINTS) -> np.ndarray:
    """Which of n points are drawn: `most` at even distances, the first and the last among them, or all of fewer."""
    return np.unique(np.rint(np.linspace(0, n - 1, min(n, most))).astype(int))


def label_facets(grid: np.ndarray, column_titles: Sequence[str], row_titles: Sequence[str]) -> None:
    """Titles above the columns of panels, and, turned, on the right of their rows; empty ones are left out."""
    for axes, title in zip(grid[0], column_titles, strict=True):
        axes.set_title(title)
    for axes, title in zip(grid[:, -1], row_titles, strict=True):
        if title:
            axes.annotate(title, (1.03, 0.5), xycoords="axes fraction", rotation=270, va="center", ha="left")


def remark(axes: Axes, text: str) -> None:
    """Say in the middle of a panel why it is empty."""
    axes.annotate(text, (0.5, 0.5), xycoords="axes fraction", ha="center", color=GREY)


def legend_above(figure: Figure, grid: np.ndarray) -> None:
    """One legend for the figure, above the panels: each label once."""
    pairs = (zip(*axes.get_legend_handles_labels(), strict=True) for axes in grid.flat)
    handles = {label: handle for pair in pairs for handle, label in pair}
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=min(len(handles), 6))
