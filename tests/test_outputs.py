"""Where a command writes what the user asks for: never over the user's input or over files of the study."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from shoal.pipeline.paths import Paths
from shoal.pipeline.terminal import cli, outputs
from tests import studies

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without results as the current folder: outputs are refused before these are asked for."""
    monkeypatch.chdir(tmp_path)
    studies.write(Path(), {"sizes": studies.SIZES}, source="file")
    for folder in ("results/sizes", "predictions", "data"):
        Path(folder).mkdir(parents=True)
    Path("new.csv").write_text("angle_deg,speed_m_s\n45,20.5\n", encoding="utf-8")
    return tmp_path


def refusal(capsys: Captured, output: str) -> str:
    """The one line of a refused `shoal predict`, which has changed no file."""
    words = ["predict", "new.csv", "--output", output]
    [line] = studies.refusal(lambda: cli.main(words), capsys).splitlines()
    return line


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("new.csv", "which is read here"),
        ("./input/../new.csv", "which is read here"),
        ("link.csv", "which is read here"),
        ("hard.csv", "which is read here"),
        ("input/example.csv", "which is read here"),
        ("params.yaml", "which belongs to the study (params.yaml)"),
        ("masked.csv", "which belongs to the study (params.yaml)"),
        ("results/sizes/own.csv", "which belongs to the study (results)"),
        ("elsewhere/test_predictions.csv", "which belongs to the study (predictions)"),
        ("data", "which belongs to the study (data)"),
        ("input", "a folder"),
        ("out.xlsx", "which ends in neither .csv nor .parquet"),
        ("pipe.csv", "which is no ordinary file"),
        ("new/out.csv", "which is no folder"),
    ],
)
def test_outputs_over_inputs_and_files_of_the_study_are_refused(
    project: Path, capsys: Captured, output: str, found: str
) -> None:
    Path("link.csv").symlink_to("new.csv")
    Path("hard.csv").hardlink_to("new.csv")
    Path("masked.csv").symlink_to("params.yaml")
    Path("elsewhere").symlink_to("predictions")
    pipe = project / "pipe.csv"
    os.mkfifo(pipe)
    line = refusal(capsys, output)
    assert line.startswith(f"--output: found '{Path(output)}', ")
    assert found in line


@pytest.mark.parametrize("denied", [".", "out.csv"])
def test_what_may_not_be_written_is_told_before_predicting(
    project: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch, denied: str
) -> None:
    Path("out.csv").touch()
    place = Path(denied).resolve()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != place)  # root may write everywhere
    line = refusal(capsys, "out.csv")
    assert line.startswith("--output: found 'out.csv', which may not be written; allowed: ")


def test_a_file_of_the_users_is_replaced_and_a_link_followed(project: Path) -> None:
    Path("other.csv").write_text("old", encoding="utf-8")
    Path("link.csv").symlink_to("other.csv")
    outputs.write(outputs.place(Path("link.csv"), Paths(), [Path("new.csv")]), [pa.table({"a": [1]})])
    assert Path("link.csv").is_symlink()
    assert Path("other.csv").read_text(encoding="utf-8") == "a\n1\n"
