"""`check`: the faults of params.yaml and of the data it names, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoal.pipeline import data
from shoal.pipeline.config import load
from shoal.pipeline.paths import Paths
from shoal.pipeline.study.check import check, faults_against
from tests.bad_params import ACCEPTANCE, COUNTS, edited

MISSING = (
    "path: input/table.csv", "path: input/tabel.csv",
    "data.path: found 'input/tabel.csv', which does not exist; allowed: an existing file, relative to the folder of "
    "params.yaml (DVC watches it, whatever the source)",
)  # fmt: skip
LARGE = (
    "batch_size: [1, 10, full]", "batch_size: [1, 1001, full]",
    "sweeps.batch.batch_size[1]: found 1001; allowed: whole numbers from 1 to 1000, the number of training samples, or "
    "full",
)  # fmt: skip
CLASSES = (
    "epochs: 30", "epochs: 30\n    loss: [huber, cross_entropy]",
    "sweeps.batch.loss: found 'cross_entropy'; allowed: squared, absolute, huber, quantile, as targets are numbers",
)  # fmt: skip
FILE = (("source: function", "source: file", ""), ("    init: assignment-stream\n", "", ""))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project with a table of 20 rows, of which 12 are for training."""
    rows = "".join(f"{i},{i % 7},{i * i},{-i}\n" for i in range(20))
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "table.csv").write_text("x,y,u,v\n" + rows, encoding="utf-8")
    return Paths(tmp_path)


def messages(paths: Paths, text: str) -> list[str]:
    paths.params.write_text(text, encoding="utf-8")
    before = sorted(paths.root.rglob("*"))
    lines = [str(fault) for fault in check(paths).faults]
    assert sorted(paths.root.rglob("*")) == before, "check wrote something"
    return lines


@pytest.mark.parametrize("edits", [(), FILE])
def test_a_good_project_has_no_fault(paths: Paths, edits: tuple[tuple[str, str, str], ...]) -> None:
    assert messages(paths, edited(*edits)) == []


@pytest.mark.parametrize(("old", "new", "message"), [*ACCEPTANCE, MISSING, LARGE, CLASSES])
def test_each_bad_configuration_alone(paths: Paths, old: str, new: str, message: str) -> None:
    assert messages(paths, edited((old, new, message))) == [f"params.yaml: {message}"]


def test_all_bad_configurations_together(paths: Paths) -> None:
    edits = [*ACCEPTANCE, MISSING, LARGE]
    assert len(edits) == 10
    found = messages(paths, edited(*edits))
    assert sorted(found) == sorted(f"params.yaml: {message}" for _, _, message in edits)


def test_faults_of_sweeps_and_of_the_table_come_together(paths: Paths) -> None:
    edits = (*FILE, ("targets: [u, v]", "targets: [u, w]", ""), ("width: 50", "width: 0", ""))
    first, second = messages(paths, edited(*edits))
    assert first == f"params.yaml: sweeps.batch.width: found 0; allowed: {COUNTS}"
    assert second.startswith(
        "params.yaml: data.targets[1]: found 'w'; allowed: a column of input/table.csv: x, y, u, v"
    )


def test_a_missing_table_is_one_message(paths: Paths) -> None:
    [message] = messages(paths, edited(*FILE, MISSING))
    assert message.startswith("params.yaml: data.path: found 'input/tabel.csv', which does not exist; allowed: ")


def test_batches_are_held_against_the_training_split_by_activation(paths: Paths) -> None:
    batches = ("batch_size: [1, 10, full]", "batch_size: {relu: 13, tanh: [12, 99]}", "")
    both = ("adam\n    activation: relu", "adam\n    activation: [relu, tanh]", "")
    allowed = "whole numbers from 1 to 12, the number of training samples, or full"
    assert messages(paths, edited(*FILE, batches, both)) == [
        f"params.yaml: sweeps.batch.batch_size.relu: found 13; allowed: {allowed}",
        f"params.yaml: sweeps.batch.batch_size.tanh[1]: found 99; allowed: {allowed}",
    ]


@pytest.mark.parametrize(
    ("training", "place", "found", "least"),
    [
        ("epochs: {relu: 30, tanh: 3}\n    warmup: {relu: 29, tanh: [2, 3]}", "warmup.tanh[1]", 3, 3),
        ("epochs: [30, 5]\n    warmup: [4, 5]", "warmup[1]", 5, 5),
        ("steps: 24\n    warmup: 2\n    batch_size: [1, full]", "warmup", 2, 2),
        ("steps: {relu: 25, tanh: 9}\n    batch_size: 3\n    warmup: 3", "warmup", 3, 3),
        ("steps: 9\n    warmup: [0, 8, 9]", "warmup[2]", 9, 9),
    ],
)
def test_a_warm_up_is_held_against_the_shortest_training(
    paths: Paths, training: str, place: str, found: int, least: int
) -> None:
    """In epochs of 12 samples."""
    both = ("adam\n    activation: relu", "adam\n    activation: [relu, tanh]", "")
    text = edited(*FILE, both, ("    batch_size: [1, 10, full]\n", "", ""), ("epochs: 30", training, ""))
    end = f"as the shortest training ends after epoch {least} (under full batch: step {least})"
    allowed = f"whole numbers from 0 to {least - 1}, {end}"
    assert messages(paths, text) == [f"params.yaml: sweeps.batch.{place}: found {found}; allowed: {allowed}"]


def test_a_warm_up_is_no_second_fault_where_the_training_has_one(paths: Paths) -> None:
    found = messages(paths, edited(*FILE, ("    epochs: 30", "    warmup: {relu: 5, tanh: 6}", "")))
    assert [line.partition(";")[0] for line in found] == [
        "params.yaml: sweeps.batch.steps: found nothing", "params.yaml: sweeps.batch.warmup.tanh: found 'tanh'"
    ]  # fmt: skip


def test_a_fault_of_another_key_hides_no_large_batch(paths: Paths) -> None:
    found = messages(paths, edited(LARGE, ("width: 50", "width: 0", "")))
    assert found == [f"params.yaml: sweeps.batch.width: found 0; allowed: {COUNTS}", f"params.yaml: {LARGE[2]}"]


@pytest.mark.parametrize(("units", "n_faults"), [(2, 0), (3, 1)])
def test_branches_are_held_against_the_columns_of_the_table(paths: Paths, units: int, n_faults: int) -> None:
    branches = ("deep: dense 10 > relu", f'deep: "(dense {units} | relu)"', "")
    found = messages(paths, edited(*FILE, branches))
    assert len(found) == n_faults
    assert all("architecture.deep" in line and line.endswith("as there are features, 2)") for line in found)


def test_stages_can_hold_a_dataset_against_the_sweeps(paths: Paths) -> None:
    paths.params.write_text(edited(LARGE), encoding="utf-8")
    config = load(paths)
    assert [str(fault) for fault in faults_against(config, data.build(config, paths))] == [f"params.yaml: {LARGE[2]}"]


def test_an_unreadable_file_is_one_message(paths: Paths) -> None:
    assert messages(paths, "seed: [") == [
        "params.yaml: line 1, column 8: found a fault in the YAML (while parsing a flow node: expected the node "
        "content, but found '<stream end>'); allowed: YAML 1.2"
    ]


def test_an_unsound_data_section_is_not_looked_into(paths: Paths) -> None:
    found = messages(paths, edited(MISSING, LARGE, ("source: function", "source: url", "")))
    assert found == ["params.yaml: data.source: found 'url'; allowed: function, file"]
