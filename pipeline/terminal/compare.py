"""`shoal compare A B`: two cells, or the results at two git revisions, replicate by replicate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from shoal.pipeline import store
from shoal.pipeline.config import ConfigError, Fault
from shoal.pipeline.numbers import number
from shoal.pipeline.paths import Paths
from shoal.pipeline.statistics import summary
from shoal.pipeline.statistics.cells import power, typical_of
from shoal.pipeline.statistics.contrasts import compared, verdict
from shoal.pipeline.statistics.errors import deciding, errors_of, log10
from shoal.pipeline.statistics.intervals import FEWEST, few_rows
from shoal.pipeline.statistics.resampled import Resampling, scope
from shoal.pipeline.statistics.signed_ranks import Comparison, holm, smallest_p
from shoal.pipeline.tasks import Error
from shoal.pipeline.terminal.revisions import WORKSPACE, Snapshot, snapshot
from shoal.pipeline.terminal.tables import TextColumn, print_table, terminal

KEY = ["sweep", "cell"]
Key = tuple[str, str]


class Side(NamedTuple):
    """The replicates of one cell, the root seed of the intervals, and the error that decides."""

    name: str
    networks: pd.DataFrame
    seed: int
    error: Error

    @property
    def errors(self) -> pd.Series:
        """log10 of the error judged by replicate, in order; raises ConfigError where test rows have no targets."""
        errors = self.networks[self.error.of(self.error.judged)]
        if errors.isna().all():
            allowed = "networks whose test rows have targets: comparisons are made on these"
            raise ConfigError([Fault("", f"{self.name}, without errors on test rows", allowed, "compare")])
        return pd.Series(log10(errors), self.networks["replicate"].to_numpy()).sort_index()

    @property
    def splits(self) -> Resampling | None:
        """The splits of the rows, where they are several."""
        return Resampling.of(self.networks)


def compare(paths: Paths, seed: int, a: str, b: str) -> list[str]:
    """Print the comparison of two cells (`sweep/cell`, or `cell` where that is clear) or else of two revisions.

    Returns the sweeps whose results were read as they lie here. Raises ConfigError where a word is neither, or where
    only one of them is a cell.
    """
    networks = store.read_table(paths.networks)
    cells = [_cell(networks, word) for word in (a, b)]
    if all(cells):
        error = deciding(networks)
        _compare_cells(paths, *(Side("/".join(key), _rows(networks, key), seed, error) for key in cells if key))
    elif any(cells):
        odd = b if cells[0] else a
        raise ConfigError([Fault("", f"'{odd}', which is no cell", "two cells, or two git revisions", "compare")])
    else:
        _compare_revisions(snapshot(paths, a), snapshot(paths, b))
        return list(networks["sweep"].unique()) if WORKSPACE in (a, b) else []
    return [sweep for sweep, _ in filter(None, cells)]


def _cell(networks: pd.DataFrame, word: str) -> Key | None:
    """Sweep and cell that a word names; None if it names none, ConfigError if several sweeps have such a cell."""
    keys = networks[KEY].drop_duplicates()
    named = keys[(keys["cell"] == word) | (keys["sweep"] + "/" + keys["cell"] == word)]
    if len(named) > 1:
        allowed = ", ".join(f"{sweep}/{cell}" for sweep, cell in named.to_numpy())
        raise ConfigError([Fault("", f"'{word}', a cell of several sweeps", allowed, "compare")])
    return (str(named["sweep"].iloc[0]), str(named["cell"].iloc[0])) if len(named) else None


def _rows(networks: pd.DataFrame, key: Key) -> pd.DataFrame:
    return networks[(networks["sweep"] == key[0]) & (networks["cell"] == key[1])]


def _paired(a: Side, b: Side) -> Comparison:
    both = a.errors.index.intersection(b.errors.index)
    splits = a.splits if a.splits == b.splits and len(a.errors) == len(b.errors) == len(both) else None
    return compared(a.errors[both].to_numpy(), b.errors[both].to_numpy(), splits)


def _compare_cells(paths: Paths, a: Side, b: Side) -> None:
    numbers = {f"{letter}: {side.name}": _numbers(side) for letter, side in (("A", a), ("B", b))}
    columns = [TextColumn(name, list(texts.values())) for name, texts in numbers.items()]
    console = terminal()
    heads = TextColumn("", list(next(iter(numbers.values()))), is_text=True)
    print_table(console, f"{a.error.label(a.error.judged)} = {a.error.definition}", [heads, *columns])
    found = _paired(a, b)
    lines = _counts(found, a.error), _claim(paths, a.name, b.name, found, _least(a, found))
    console.print(*lines, sep="\n", highlight=False, markup=False)
    _print_scope(console, a.networks, store.count_rows(paths.data / "test.parquet"))


def _print_scope(console: Console, networks: pd.DataFrame, n_test: int) -> None:
    """What an interval is over, and a warning where there are few test rows."""
    console.print("\n".join(filter(None, [scope(networks), few_rows(n_test)])), highlight=False)


def _numbers(side: Side) -> dict[str, str]:
    ranks = summary(side.networks[side.error.of(side.error.judged)].to_numpy(np.float64))
    diverged = int((side.networks["status"] == "diverged").sum())
    numbers = {"networks": str(len(side.networks)), "diverged": str(diverged)}
    numbers |= {name: number(value) for name, value in ranks.items()}
    return numbers | {"typical": _typical(side), "95 % interval": _interval(side)}


def _typical(side: Side) -> str:
    return number(10 ** typical_of(side.errors.to_numpy(), side.splits, side.seed)[0])


def _interval(side: Side) -> str:
    _, ends = typical_of(side.errors.to_numpy(), side.splits, side.seed)
    return " to ".join(number(10**end) for end in ends) if ends else f"none below {FEWEST} networks"


def _counts(found: Comparison, error: Error) -> str:
    smaller = f"A has the smaller {error.label(error.judged)} in {found.a_smaller}, B in {found.b_smaller}"
    ratio = f"{error.name} A / {error.name} B = {_ratio(found)}"
    return f"{found.n_pairs} paired replicates: {smaller}; typically {ratio}."


def _ratio(found: Comparison) -> str:
    return number(power(found.log10_ratio))


def _least(side: Side, found: Comparison) -> float:
    """The least p that so many replicates could give."""
    return 0.0 if side.splits else smallest_p(found.n_pairs)


def _claim(paths: Paths, a: str, b: str, found: Comparison, least: float) -> str:
    """What the test says: the declared one of the sweep if there is one, else one of its own with a warning."""
    if found.n_pairs < FEWEST and least:
        return f"No test and no claim from fewer than {FEWEST} pairs."
    table = store.read_table(paths.contrasts)
    names = [table["sweep"] + "/" + table[side] for side in "ab"]
    for letters, (first, second) in (("AB", (a, b)), ("BA", (b, a))):
        row = table[(names[0] == first) & (names[1] == second)]
        if len(row):
            family = int((table["sweep"] == row["sweep"].iloc[0]).sum())
            said = _said(row["verdict"].iloc[0], *letters)
            p = row["p_holm"].iloc[0]
            return f"Declared comparison: {said} (p = {p:.2g} after Holm over all {family} of the sweep)."
    said = _said(verdict(found, found.p, least), "A", "B")
    return f"Not declared beforehand: {said} (p = {found.p:.2g}), if this pair was chosen before its results were seen."


def _said(verdict_: str, a: str, b: str) -> str:
    return {
        store.A_BEATS_B: f"{a} beats {b}",
        store.B_BEATS_A: f"{b} beats {a}",
        store.NOT_SHOWN: "neither is shown to beat the other",
        store.UNTESTABLE: "so few replicates could not have shown a difference",
    }[verdict_]


def _compare_revisions(a: Snapshot, b: Snapshot) -> None:
    """A row for each cell of which the two have other networks, tested where seed and data are the same.

    These are the family of the tests. A line each is on the cells that are the same to the bit, and on the others.
    """
    keys_a, keys_b = _cells(a), _cells(b)
    error = next(error for error in reversed(errors_of(a.networks)) if error in errors_of(b.networks))
    common = [(_side(a, key, error), _side(b, key, error)) for key in keys_a if key in keys_b]
    pairs = [pair for pair in common if not is_identical(*pair)]
    console = terminal()
    if pairs:
        print_table(console, f"{error.label(error.judged)}: A = {a.name}, B = {b.name}", _columns(a, b, pairs))
    if same := len(common) - len(pairs):
        console.print("1 cell is bit-identical" if same == 1 else f"{same} cells are bit-identical", highlight=False)
    for name, own, other in ((a.name, keys_a, keys_b), (b.name, keys_b, keys_a)):
        if alone := ["/".join(key) for key in own if key not in other]:
            console.print(f"only in {name}: {', '.join(alone)}", highlight=False, markup=False)
    if not _is_paired(a, b):
        console.print("not paired and not tested: seed or data differ", highlight=False)
    elif pairs:
        cells = "1 cell" if len(pairs) == 1 else f"{len(pairs)} cells"
        console.print(f"p after Holm over {cells}, those whose networks differ", highlight=False)
    _print_scope(console, a.networks, min(a.n_test, b.n_test))


def _columns(a: Snapshot, b: Snapshot, pairs: list[tuple[Side, Side]]) -> list[TextColumn]:
    found = [_paired(*pair) for pair in pairs]
    p = holm([comparison.p for comparison in found])
    least = holm([_least(one, comparison) for (one, _), comparison in zip(pairs, found, strict=True)])
    columns = [TextColumn("cell", [side.name for side, _ in pairs], is_text=True)]
    for letter, sides in zip("AB", zip(*pairs, strict=True), strict=False):
        columns.append(TextColumn(f"typical {letter}", list(map(_typical, sides))))
        columns.append(TextColumn("95 %", list(map(_interval, sides)), rank=1))
    pairing = _is_paired(a, b)
    columns.append(TextColumn("A / B", [_ratio(one) if pairing else "-" for one in found]))
    tested = [_tested(*one) if pairing else "-" for one in zip(found, p, least, strict=True)]
    return [*columns, TextColumn("paired test", tested, is_text=True)]


def _is_paired(a: Snapshot, b: Snapshot) -> bool:
    """Whether replicates of the two start alike and see the same rows."""
    return a.seed == b.seed and a.has_data_of(b)


def is_identical(a: Side, b: Side) -> bool:
    """Whether two sides are the same networks with the same errors, to the bit; a network_id says how it was made."""
    columns = ["network_id", "replicate", *errors_of(a.networks)[0].columns]
    return a.networks[columns].reset_index(drop=True).equals(b.networks[columns].reset_index(drop=True))


def _cells(at: Snapshot) -> dict[Key, None]:
    """Sweeps and cells of a revision, in the order of its table."""
    return dict.fromkeys((str(sweep), str(cell)) for sweep, cell in at.networks[KEY].to_numpy())


def _side(at: Snapshot, key: Key, error: Error) -> Side:
    return Side("/".join(key), _rows(at.networks, key), at.seed, error)


def _tested(comparison: Comparison, p_holm: float, p_least: float) -> str:
    if not comparison.a_smaller + comparison.b_smaller:
        return "equal"
    if comparison.n_pairs < FEWEST and p_least:
        return "too few replicates"
    return f"{_said(verdict(comparison, p_holm, p_least), 'A', 'B')} (p = {p_holm:.2g})"
