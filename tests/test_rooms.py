"""Rooms of the engine are imported by a test, so that a fault is found where it is; a name is one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from symtable import symtable

TESTS = Path(__file__).parent
ROOT = TESTS.parent / "kernels"
TABLES = ("network.activations", "network.losses", "training.optimizers", "training.methods")
"""Folders with a file for each thing of a kind: tests go through the table of all of them."""
WITHOUT = {
    "compile.jit": "decorators, which every kernel has",
    "compile.pointers": "pointers, which every kernel moves",
    "network.single_sample": "which kernel a layer calls; test_training holds it to the oracle by mini-batches of 1",
    "training.chunk_workspace": "where numbers are; test_training and test_memory, by the door",
    "training.chunks": "passes over tiles of samples; test_training and test_same_bits, by the door",
    "training.groups": "tiles of networks in lanes; test_training and test_same_bits, by the door",
    "training.loop": "the order of steps, records and snapshots; test_training, by the door",
    "training.one_by_one": "who runs what, and where its numbers are; test_training and test_same_bits, by the door",
    "training.outcomes": "where numbers are in a fleet; test_training and test_going_on, by the door",
    "training.side_by_side": "as one_by_one, for networks in lanes",
    "training.slices": "updates slice by slice; test_optimizers and test_long_networks, by the door",
    "training.tickets": "who runs what, as one_by_one; test_same_bits, by the door",
}
"""Rooms without a formula that no test imports, and why that is enough."""


def rooms() -> Iterator[str]:
    """Every file of the engine, by its name below shoal.kernels."""
    for path in ROOT.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip(".")
        if path.read_text(encoding="utf-8").strip() and name.rpartition(".")[0] not in TABLES:
            yield name


def imported() -> Iterator[str]:
    """What tests import: modules, and names in them, which may be modules."""
    for path in TESTS.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_is_imported_by_a_test() -> None:
    named = {name.removeprefix("shoal.kernels.") for name in imported()}
    assert set(TABLES) <= named
    assert {room for room in rooms() if room not in named} == set(WITHOUT)


def test_what_is_taken_from_a_test_is_there() -> None:
    """By the programs of the Makefile too, which no test runs."""
    taken = {name for name in imported() if name.startswith("tests.") and name.count(".") == 2}
    assert "tests.test_training.check" in taken, "by soak.py"
    for module in {name.rpartition(".")[0] for name in taken}:
        path = (TESTS / module.removeprefix("tests.")).with_suffix(".py")
        symbols = symtable(path.read_text(encoding="utf-8"), path.name, "exec").get_symbols()
        taken -= {f"{module}.{own.get_name()}" for own in symbols if own.is_assigned() or own.is_imported()}
    assert taken == set()


def test_no_two_classes_have_one_name() -> None:
    """Of those that other rooms may use: a name says which thing is meant, wherever it is read."""
    places: dict[str, list[str]] = {}
    for folder in ("kernels", "pipeline"):
        for path in (TESTS.parent / folder).rglob("*.py"):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(path.relative_to(TESTS.parent).as_posix())
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}
