"""How sentences name the levels of an axis, count things and write factors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from shoal.pipeline.hyperparameters import HYPERPARAMETERS
from shoal.pipeline.statistics import axes
from shoal.pipeline.tasks import Error

NOUNS = {name: row.nouns for name, row in HYPERPARAMETERS.items() if row.nouns}
"""Axes whose levels count something."""
MOST_TEXTS = 12
"""What a sentence lists."""


def counted(n: int, noun: str, nouns: str = "") -> str:
    """A number with its noun in the singular or the plural."""
    return f"{n:,} {noun if n == 1 else nouns or f'{noun}s'}"


def listed(texts: Sequence[str]) -> str:
    """Texts as one: a, b and c."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def shortened(texts: Sequence[str], most: int = MOST_TEXTS) -> list[str]:
    """The texts of a sentence; of more than `most` the first ones, how many are left out, and the last."""
    left_out = len(texts) - most
    return list(texts) if left_out <= 0 else [*texts[: most - 1], f"... ({left_out} more)", texts[-1]]


def level(axis: str, text: str) -> str:
    """A level as the subject of a sentence."""
    if axis == "series":
        return text
    if axis in NOUNS:
        return f"{text} {NOUNS[axis][text != '1']}"
    if axis == "batch_size" and text == "full":
        return "the full batch"
    return f"layers of {text} nodes" if axis == "hidden_sizes" else f"{axes.LABELS[axis]} {text}"


def other_level(axis: str, text: str) -> str:
    """A level behind another one of the same axis: the number alone, where it is one."""
    return level(axis, text) if axis in ("series", "hidden_sizes") or text == "full" else text


def is_plural(axis: str, text: str) -> bool:
    """Whether that subject takes a verb in the plural."""
    return axis == "hidden_sizes" or (axis in NOUNS and text != "1")


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[0].upper() + text[1:]


def factor(value: float) -> str:
    """A factor of 1 or more, not infinite."""
    if value < 1.095:
        return f"{value:.2f}"
    if value < 1000:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}" if value < 1e9 else f"{value:.2e}".replace("e+", "e")


def ratios(log10: np.ndarray | float) -> np.ndarray:
    """10 to the power of these: infinite where they are, otherwise in the range of float64."""
    powers: np.ndarray = 10.0 ** np.where(np.isinf(log10), log10, np.minimum(log10, 308.0))
    return powers


def factors(values: np.ndarray, exact: np.ndarray) -> str:
    """By which factor an error is smaller, from the least to the most of values (n,) of 1 or more.

    `exact` (n,) tells why a factor is infinite: the smaller error is 0, or else the larger is of what diverged.
    """
    finite, infinite = values[np.isfinite(values)], np.isinf(values)
    n_exact, n_lost = int((infinite & exact).sum()), int((infinite & ~exact).sum())
    if n_lost == len(values):
        return ", which typically diverges"
    if n_exact == len(values):
        return ", with a typical error of 0"
    parts = [f"with a typical error of 0 in {n_exact}"] if n_exact else []
    parts += [f"the other typically diverging in {n_lost}"] if n_lost else []
    return f", {', '.join([*_finite_factors(finite), *parts])}"


def _finite_factors(values: np.ndarray) -> list[str]:
    if not len(values):
        return []
    least, most = factor(values.min()), factor(values.max())
    if values.max() < 1.01:
        return ["by less than 1 %"]
    return [f"by a factor of {least}{'' if least == most else f' to {most}'}"]


def is_exact(better: pd.DataFrame, worse: pd.DataFrame, error: Error) -> np.ndarray:
    """Whether an infinite ratio of test errors comes of an error of 0 rather than of divergence, cell by cell (n,)."""
    zero, lost = (cells[f"{error.of(error.judged)}_median"].to_numpy(np.float64) for cells in (better, worse))
    n_diverged = worse["n_diverged"].to_numpy(np.int64)
    found: np.ndarray = (n_diverged == 0) | ((zero == 0) & np.isfinite(lost))
    return found


def places(others: Sequence[str], cells: pd.DataFrame) -> str:
    """The settings of cells on the axes `others`, the last of them listed for each setting of the ones before."""
    groups: dict[str, list[str]] = {}
    for _, cell in cells.iterrows():
        *heads, last = (axes.level_text(axis, cell[axis]) for axis in others)
        key = ", ".join(
            text if axis == "series" else f"{axes.LABELS[axis]} {text}"
            for axis, text in zip(others, heads, strict=False)
        )
        groups.setdefault(key, []).append(last)
    label = "" if others[-1] == "series" else f"{axes.LABELS[others[-1]]} "
    parts = [f"{label}{', '.join(dict.fromkeys(levels))}" for levels in groups.values()]
    return "; ".join(f"{key}: {part}" if key else part for key, part in zip(groups, parts, strict=True))
