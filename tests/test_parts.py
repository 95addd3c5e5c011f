"""A long table goes through `shoal predict` part after part: what comes out is what it would be as a whole."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal.pipeline.config import ConfigError
from shoal.pipeline.data import readers
from shoal.pipeline.paths import Paths
from shoal.pipeline.terminal import cli
from tests import studies

Captured = pytest.CaptureFixture[str]
N = 20


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    sweeps = {"sizes": studies.SIZES | {"width": 3, "depth": 1, "replicates": 1}}
    return studies.complete(tmp_path_factory.mktemp("study"), sweeps, source="file")


@pytest.fixture
def study(finished: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return studies.copied(finished, tmp_path, monkeypatch)


def frame() -> pd.DataFrame:
    """Some of the rows lie outside the range of training, those furthest out in the last part."""
    speed = np.linspace(4, 80, N).round(3)
    columns = {"angle_deg": np.linspace(90, 10, N).round(2), "note": [f"a,{i}" for i in range(N)], "speed_m_s": speed}
    return pd.DataFrame(columns | {"gap": [""] * (N - 1) + ["7"], "n": range(N), "late": [*range(N - 1), "x"]})


def csv(**options: str) -> bytes:
    return frame().to_csv(index=False, **options).encode(options.get("encoding", "utf-8"))


FILES = {
    "plain.csv": csv(),
    "comma.csv": csv(sep=";", decimal=","),
    "wide.csv": csv(encoding="utf-16"),
    "packed.csv.gz": gzip.compress(csv(sep="\t")),
    "blank.csv": csv().replace(b"\n", b"\n\n").replace(b'"a,8"', b'"a\n\n8"'),
    "titled.csv": b"a title\n" + csv(),
    "mended.csv": csv().replace(b'"a,19",', b'"a,19" ,'),
}


def predicted(name: str, output: str, capsys: Captured) -> str:
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", name, "--output", output, "--flag-range"])
    assert end.value.code == 0
    return capsys.readouterr().err


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_parts_of_a_text_give_the_whole(
    study: Paths, name: str, ending: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(name).write_bytes(FILES[name])
    said = predicted(name, f"whole{ending}", capsys)
    monkeypatch.setattr(readers, "PART_ROWS", 7)
    lengths = [len(part.rows) for part in readers.parts(Path(), name, "")]
    assert lengths == {"mended.csv": [N], "titled.csv": [5, 7, 7, 1]}.get(name, [6, 7, 7])
    assert predicted(name, f"parts{ending}", capsys) == said != ""
    if ending == ".csv":
        assert Path("parts.csv").read_bytes() == Path("whole.csv").read_bytes()
    else:
        assert pq.read_table("parts.parquet").equals(pq.read_table("whole.parquet"), check_metadata=True)


def test_parts_of_a_parquet_file_give_the_whole(
    study: Paths, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = pa.Table.from_pandas(frame().astype({"late": str, "speed_m_s": "float32"}))
    pq.write_table(table.set_column(1, "note", table["note"].dictionary_encode()), "new.parquet")
    said = predicted("new.parquet", "whole.parquet", capsys)
    monkeypatch.setattr(readers, "PART_ROWS", 7)
    assert [part.rows[0] for part in readers.parts(Path(), "new.parquet", "")] == [1, 8, 15]
    assert predicted("new.parquet", "parts.parquet", capsys) == said
    assert pq.read_table("parts.parquet").equals(pq.read_table("whole.parquet"), check_metadata=True)


def test_a_fault_in_a_later_part_leaves_no_file(
    study: Paths, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are counted as an editor does; what is behind the part is not looked at, and that is said."""
    monkeypatch.setattr(readers, "PART_ROWS", 7)
    table = frame().astype(str)
    table.loc[[9, 10, 18], "speed_m_s"] = "fast"
    table.to_csv("new.csv", index=False)
    words = ["predict", "new.csv", "--output", "out.csv"]
    assert studies.refusal(lambda: cli.main(words), capsys).splitlines() == [
        "new.csv: column 'speed_m_s', row 11: found 'fast' (and 1 more of the column that are no finite number); "
        "allowed: a number such as 3 or -1.5e-3; correct it, or leave the column out (data.features, data.targets)",
        "new.csv: found faults up to row 14, and has not been read on from there; allowed: a table without; mend "
        "these, and try again",
    ]


@pytest.mark.parametrize("content", [b"a,b\n1,\xff\n", b"a,b\n1,\0\n", b'a,b\n1,"2\n', b""])
def test_what_is_no_text_is_refused_in_the_same_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "new.csv").write_bytes(content)
    said = []
    for read in (readers.read, lambda *words: list(readers.parts(*words))):
        with pytest.raises(ConfigError) as refusal:
            read(tmp_path, "new.csv", "")
        said.append(str(refusal.value))
    assert said[0] == said[1]
