"""`shoal predict`: the user's columns come out as they went in, and what is doubtful about predictions is told."""

from __future__ import annotations

import csv
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.terminal import cli
from tests import studies

Captured = pytest.CaptureFixture[str]
PREDICTED = ["range_m_predicted", "height_m_predicted"]
FATAL = studies.SIZES | {"activation": "linear", "width": 4, "learning_rate": 10.0, "depth": 2, "steps": 40}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    sweeps = {"sizes": studies.SIZES, "fatal": FATAL}
    return studies.complete(tmp_path_factory.mktemp("study"), sweeps, source="file")


@pytest.fixture
def study(finished: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of a finished study as the current folder, with a table of two rows in it."""
    study = studies.copied(finished, tmp_path, monkeypatch)
    Path("new.csv").write_text("angle_deg,speed_m_s\n45,20.5\n30.25,30\n", encoding="utf-8")
    return study


def predict(capsys: Captured, *words: str) -> str:
    """What a successful `shoal predict` says beside its result."""
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", *words])
    assert end.value.code == 0
    return capsys.readouterr().err


def refusal(capsys: Captured, *words: str) -> str:
    """The one line of a refused `shoal predict`, which has changed no file."""
    [line] = studies.refusal(lambda: cli.main(["predict", *words]), capsys).splitlines()
    return line


def expected(study: Paths) -> np.ndarray:
    """Predictions of the chosen network for the two rows of new.csv, by NumPy."""
    network = store.load_network(study, ["sizes"], store.read_json(study.chosen)["network_id"])
    train = pd.read_parquet(study.data / "train.parquet")
    mean, scale = train.mean().to_numpy(), train.std(ddof=0).to_numpy()
    x = (np.array([[20.5, 45], [30, 30.25]]) - mean[:2]) / scale[:2]
    return studies.forward(str(network.architecture), network.params, x) * scale[2:] + mean[2:]


# ---- columns


def test_cells_of_a_csv_file_come_out_letter_by_letter(study: Paths, capsys: Captured) -> None:
    header = ["id", " angle_deg ", "speed_m_s", "note", "large", "gap"]
    rows = [
        ["007", "45.0", " 20.50", 'a "b", c', "9007199254740993", ""],
        ["+1", "3.025e1", "30", "x\ny", "1e-07", "p\rq"],
    ]
    with Path("new.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\r\n").writerows([header, rows[0], [], rows[1]])
    predict(capsys, "new.csv", "--output", "out.csv")
    with Path("out.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.reader(file))
    assert [cells[1:7] for cells in written] == [header, *rows]
    assert [cells[0] for cells in written] == ["row", "1", "2"], "a blank line is no row"
    assert written[0][7:] == PREDICTED
    np.testing.assert_allclose(np.array([cells[7:] for cells in written[1:]], float), expected(study), rtol=1e-9)


def test_columns_of_a_parquet_file_keep_types_and_values(study: Paths, capsys: Captured) -> None:
    columns = {
        "speed_m_s": pa.array([20.5, 30], pa.float32()),
        "angle_deg": pa.array([Decimal("45.00"), Decimal("30.25")]),
        "whole": pa.array([2**53 + 1, None]),
        "single": pa.array([0.1, None], pa.float32()),
        "time": pa.array([datetime(2020, 2, 29), None], pa.timestamp("ns", "Europe/Berlin")),
        "kind": pa.array(["a", "b"]).dictionary_encode(),
        "digits": pa.array(["007", "1.50"]),
        "nested": pa.array([[{"a": 1}], []]),
        "flag": pa.array([True, None]),
    }
    pq.write_table(pa.table(columns), "new.parquet")
    predict(capsys, "new.parquet", "--output", "out.parquet")
    before, after = pq.read_table("new.parquet"), pq.read_table("out.parquet")
    assert after.column_names == ["row", *columns, *PREDICTED]
    assert after.select(before.column_names).equals(before)
    assert after.schema.field("row").type == pa.int64()
    assert {after.schema.field(name).type for name in PREDICTED} == {pa.float64()}
    np.testing.assert_allclose(after.select(PREDICTED).to_pandas(), expected(study), rtol=1e-9)


def test_an_index_of_pandas_is_kept(study: Paths, capsys: Captured) -> None:
    frame = pd.DataFrame({"speed_m_s": [20.5, 30], "angle_deg": [45, 30.25]}, index=["p", "q"])
    frame.to_parquet("new.parquet")
    predict(capsys, "new.parquet", "--output", "out.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet("out.parquet")[list(frame)], frame)


def test_text_becomes_numbers_in_parquet_where_nothing_is_lost(study: Paths, capsys: Captured) -> None:
    columns = {
        "angle_deg": (["45", "30.250"], [45.0, 30.25]),
        "speed_m_s": (["20.5", "3e1"], [20.5, 30.0]),
        "whole": (["9007199254740993", ""], [9007199254740993, None]),
        "printed": (["0.10000000000000001", "1.000000000000000056e-01"], [0.1, 0.1]),
        "digits": (["007", "1"], ["007", "1"]),
        "mixed": (["9007199254740993", "0.5"], ["9007199254740993", "0.5"]),
        "long": (["1" * 30, "2"], ["1" * 30, "2"]),
        "gap": (["", ""], ["", ""]),
    }
    pd.DataFrame({name: cells for name, (cells, _) in columns.items()}).to_csv("new.csv", index=False)
    predict(capsys, "new.csv", "--output", "out.parquet")
    table = pq.read_table("out.parquet")
    assert table.select(list(columns)).to_pydict() == {name: values for name, (_, values) in columns.items()}
    assert table.schema.field("whole").type == pa.int64()


def test_numbers_become_text_in_csv_with_all_their_digits(study: Paths, capsys: Captured) -> None:
    columns = {
        "speed_m_s": pa.array([20.5, 30.0]),
        "angle_deg": pa.array([45.0, 30.25], pa.float32()),
        "whole": pa.array([2**53 + 1, None]),
        "single": pa.array([0.1, None], pa.float32()),
        "price": pa.array([Decimal("1.50"), None]),
        "kind": pa.array(["a, b", None]).dictionary_encode(),
    }
    pq.write_table(pa.table(columns), "new.parquet")
    predict(capsys, "new.parquet", "--output", "out.csv")
    lines = [line.split(",range")[0] for line in Path("out.csv").read_text(encoding="utf-8").splitlines()]
    assert lines[0] == "row,speed_m_s,angle_deg,whole,single,price,kind"
    assert lines[1].startswith('1,20.5,45.0,9007199254740993,0.1,1.50,"a, b",')
    assert lines[2].startswith("2,30.0,30.25,,,,,")


def test_lists_have_no_form_in_csv(study: Paths, capsys: Captured) -> None:
    columns = {"speed_m_s": [20.5], "angle_deg": [45.0], "parts": [[1, 2]]}
    pq.write_table(pa.table(columns), "new.parquet")
    line = refusal(capsys, "new.parquet", "--output", "out.csv")
    assert line.startswith("--output: found column 'parts' of type list<")
    assert line.endswith("which CSV has no form for; allowed: a file that ends in .parquet")


def test_a_table_without_rows(study: Paths, capsys: Captured) -> None:
    Path("new.csv").write_text("angle_deg,speed_m_s\n", encoding="utf-8")
    assert not predict(capsys, "new.csv", "--output", "out.csv", "--flag-range")
    assert Path("out.csv").read_text(encoding="utf-8").count("\n") == 1


def test_a_name_that_is_taken_is_refused_and_a_prefix_is_the_way_out(study: Paths, capsys: Captured) -> None:
    text = "row,angle_deg,speed_m_s,height_m_predicted\n9,45,20.5,8\n"
    Path("new.csv").write_text(text, encoding="utf-8")
    assert refusal(capsys, "new.csv", "--output", "out.csv") == (
        "new.csv: found columns that shoal would add: 'row', 'height_m_predicted'; allowed: --prefix NAME, which is "
        "put before all names that shoal adds; or other names in the table"
    )
    predict(capsys, "new.csv", "--output", "out.csv", "--prefix", "shoal_", "--flag-range")
    header, cells = Path("out.csv").read_text(encoding="utf-8").splitlines()
    assert header == (
        "shoal_row,row,angle_deg,speed_m_s,height_m_predicted,shoal_range_m_predicted,shoal_height_m_predicted,"
        "shoal_outside_training_range"
    )
    assert cells.startswith("1,9,45,20.5,8,")
    assert "'shoal_row'" in refusal(capsys, "out.csv", "--output", "again.csv", "--prefix", "shoal_")


# ---- outside the range of training


def test_rows_outside_the_range_of_training_are_told_and_flagged(study: Paths, capsys: Captured) -> None:
    train = pd.read_parquet(study.data / "train.parquet")
    (slow, fast), (flat, steep) = ((train[name].min(), train[name].max()) for name in ("speed_m_s", "angle_deg"))
    rows = [(slow, steep), (fast + 1, 45), (20, flat), (2 * fast, 1e3)]
    pd.DataFrame(rows, columns=["speed_m_s", "angle_deg"]).to_csv("new.csv", index=False)
    said = predict(capsys, "new.csv", "--output", "out.csv", "--flag-range")
    assert said == (
        "new.csv: 2 of 4 rows lie outside the range of training: speed_m_s (2), angle_deg (1); furthest out: "
        f"angle_deg = 1000, trained on {flat} to {steep}\n"
    )
    flags = pd.read_csv("out.csv")["outside_training_range"]
    assert flags.fillna("-").tolist() == ["-", "speed_m_s", "-", "speed_m_s; angle_deg"]
    predict(capsys, "new.csv", "--output", "out.parquet", "--flag-range")
    written = pq.read_table("out.parquet")["outside_training_range"].to_pylist()
    assert written == [None, "speed_m_s", None, "speed_m_s; angle_deg"]


def test_another_value_of_a_constant_feature_is_outside(study: Paths, capsys: Captured) -> None:
    train = pd.read_parquet(study.data / "train.parquet").assign(angle_deg=45.0)
    store.write_table(study.data / "train.parquet", train)
    said = predict(capsys, "new.csv", "--output", "out.csv")
    assert "1 of 2 rows" in said
    remark, changed = said.splitlines()
    assert remark.endswith("furthest out: angle_deg = 30.25, trained on 45 alone; --flag-range marks them")
    assert changed.startswith("not up to date: data/train.parquet changed")


# ---- diverged networks


def test_a_diverged_network_cannot_predict(study: Paths, capsys: Captured) -> None:
    run = store.read_table(study.runs("fatal")).iloc[0]
    assert refusal(capsys, "new.csv", "--output", "out.csv", "--network", run["network_id"]) == (
        f"--network: found network '{run['network_id']}', which diverged at step {run['diverged_step']}; allowed: a "
        "network with status ok in results/<sweep>/runs.parquet"
    )


def test_nothing_predicts_where_all_networks_diverged(study: Paths, capsys: Captured) -> None:
    store.write_json(study.chosen, None)
    line = refusal(capsys, "new.csv", "--output", "out.csv")
    assert line.startswith("predictions/chosen.json: found no network, as all networks diverged; --network cannot help")
