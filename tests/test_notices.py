"""What is told of columns that look like no features, and what a nearly constant one does to numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import data
from shoal.pipeline.paths import Paths
from shoal.pipeline.scaling import constant
from shoal.pipeline.stages import data as data_stage
from shoal.pipeline.terminal import cli
from tests import studies
from tests.datasets import build, configure

N = 60
LEAVE_OUT = "; if it is no feature, leave it out of data.features"
PASTE = "warning: params.yaml: data.features: without these columns; features: [a, b]"


@pytest.fixture
def table() -> pd.DataFrame:
    """Two features without a pattern and a target; 60 rows."""
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(2, N)).round(3)
    return pd.DataFrame({"a": a, "b": b, "y": (20 * a + b**2).round(2)})


def told(root: Path, table: pd.DataFrame, name: str = "t.csv", **keys: object) -> list[str]:
    """The notices for a table, as they are printed."""
    table.to_csv(root / name, index=False) if name.endswith("csv") else table.to_parquet(root / name)
    return [str(notice) for notice in build(root, path=name, **({"targets": ["y"]} | keys)).notices]


def test_nothing_is_told_of_a_sound_table(tmp_path: Path, table: pd.DataFrame) -> None:
    """Nor of features that follow the target nearly, of whole numbers that come twice, or of years with a gap."""
    noise = np.random.default_rng(2).normal(size=N)
    year = [*range(1950, 1980), *range(1981, 2011)]
    near = (table["y"] + 0.05 * noise).round(4)
    assert told(tmp_path, table.assign(near=near, n=np.arange(N) // 2, year=year, flag=noise > 1).astype(float)) == []


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("Unnamed: 0", range(N), "looks like a row number (each whole number from 0 to 59 once)"),
        ("rownames", range(1, N + 1), "looks like a row number (each whole number from 1 to 60 once)"),
        ("__index_level_0__", range(N), "looks like a row number (each whole number from 0 to 59 once)"),
        ("station", np.random.default_rng(0).permutation(N) + 1, "looks like a row number (each whole number from 1 to "
         "60 once)"),
        ("sample", range(100, 100 + N), "looks like a row number (each whole number from 100 to 159 once)"),
        ("id", np.arange(N) ** 2, "looks like the number of a row (whole numbers, each once)"),
    ],
)  # fmt: skip
def test_a_row_number_is_told(tmp_path: Path, table: pd.DataFrame, name: str, values: object, words: str) -> None:
    """With what to write instead; and not where the user has chosen the features."""
    table.insert(0, name, np.asarray(values))
    assert told(tmp_path, table) == [f"warning: t.csv: column '{name}': {words}{LEAVE_OUT}", PASTE]
    assert told(tmp_path, table, features=[name, "a"]) == []


def test_the_index_of_a_pandas_table_is_told(tmp_path: Path, table: pd.DataFrame) -> None:
    table.index = pd.Index(np.arange(N) * 7.5, name="sample")
    line = f"warning: t.parquet: column 'sample': was the index of a table: names of rows, as it seems{LEAVE_OUT}"
    assert told(tmp_path, table, "t.parquet") == [line, PASTE]


def test_an_only_feature_that_counts_is_no_suspect(tmp_path: Path, table: pd.DataFrame) -> None:
    """x = 0, 1, 2, ... is what a curve is drawn over; by the name of a row number it is one all the same."""
    table["x"] = range(N)
    assert told(tmp_path, table[["x", "y"]]) == []
    [line] = told(tmp_path, table[["x", "y"]].rename(columns={"x": "Unnamed: 0"}))
    assert line.startswith("warning: t.csv: column 'Unnamed: 0': looks like a row number")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda y: y, "equals the column 'y' in every row"),
        (lambda y: 1.8 * y + 32, "follows the column 'y' on a straight line in every row (1.8 y + 32)"),
        (lambda y: (1.8 * y + 32).round(1), "follows the column 'y' on a straight line in every row (1.8 y + 32)"),
        (lambda y: (5 - y / 1000).round(5), "follows the column 'y' on a straight line in every row (-0.001 y + 5)"),
    ],
)  # fmt: skip
def test_a_copy_of_the_target_is_told(tmp_path: Path, table: pd.DataFrame, made: object, words: str) -> None:
    """Also where the user has chosen it."""
    table["leak"] = made(table["y"])  # type: ignore[operator]
    line = f"warning: t.csv: column 'leak': {words}{LEAVE_OUT}"
    assert told(tmp_path, table) == told(tmp_path, table, features=["a", "b", "leak"]) == [line, PASTE]


def test_a_copy_of_another_feature_is_told_once(tmp_path: Path, table: pd.DataFrame) -> None:
    table["c"] = 2 * table["a"] - 1
    words = "follows the column 'a' on a straight line in every row (2 a - 1)"
    assert told(tmp_path, table) == [f"warning: t.csv: column 'c': {words}{LEAVE_OUT}", PASTE]
    assert told(tmp_path, table, features=["a", "b", "c"]) == []


def test_constant_columns_are_told(tmp_path: Path, table: pd.DataFrame) -> None:
    """Also those that are constant on the rows to train on alone, as nothing can be learned from them there."""
    table.to_csv(tmp_path / "t.csv", index=False)
    trained = table["a"].isin(build(tmp_path, targets=["y"]).train.x[:, 0])
    assert told(tmp_path, table.assign(k=3.5, rare=1 - trained.astype(int))) == [
        f"warning: t.csv: column 'k': holds 3.5 in every row{LEAVE_OUT}",
        f"warning: t.csv: column 'rare': holds 0 in every row to train on{LEAVE_OUT}",
        PASTE,
    ]


@pytest.mark.parametrize("standardise", [True, False])
def test_a_constant_target_is_told(tmp_path: Path, table: pd.DataFrame, standardise: bool) -> None:
    line = "warning: t.csv: column 'y': holds 7.5 in every row; a target such as this leaves nothing to learn"
    assert told(tmp_path, table.assign(y=7.5), standardise=standardise) == [line]


def test_of_many_suspects_eight_are_told(tmp_path: Path, table: pd.DataFrame) -> None:
    """The list to paste leaves all of them out, with quotes where YAML needs them."""
    table = table.assign(**{f"k{i}": i for i in range(14)}).rename(columns={"b": "b: no"})
    lines = told(tmp_path, table)
    assert len(lines) == 10
    assert lines[7:] == [
        f"warning: t.csv: column 'k7': holds 7 in every row{LEAVE_OUT}",
        "warning: t.csv: columns: 6 more that look like no features; as above",
        'warning: params.yaml: data.features: without these columns; features: [a, "b: no"]',
    ]


def test_the_data_stage_tells_them(tmp_path: Path, table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    table.assign(k=1).to_csv(tmp_path / "t.csv", index=False)
    data_stage.run(configure(tmp_path, targets=["y"]))
    assert capsys.readouterr() == ("", f"warning: t.csv: column 'k': holds 1 in every row{LEAVE_OUT}\n{PASTE}\n")
    assert data.load(Paths(tmp_path)).notices == ()


# ---- nearly constant columns


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(np.float32, 14.62), (np.float32, -3e8), (np.float64, 14.62), (np.float64, -1e-200), (np.float64, 1e200)],
)
def test_a_spread_of_rounding_is_none(dtype: type[np.floating], size: float) -> None:
    """Neighbouring numbers of the dtype are one value; a hundred steps between them are not."""
    value = dtype(size)
    resolution = float(np.finfo(dtype).eps)
    for steps, flat in ((0, True), (1, True), (4, True), (100, False)):
        a = np.array([[value], [value * (1 + dtype(steps * resolution))]], np.float64)
        assert constant(a, resolution).tolist() == [flat]


def test_a_real_spread_keeps_mean_and_scale_to_the_bit() -> None:
    a = 1e8 + np.random.default_rng(0).normal(scale=1e-3, size=(50, 2))
    scaling = data.Scaling.fit(a)
    assert scaling.mean.tobytes() == a.mean(axis=0).tobytes()
    assert scaling.scale.tobytes() == a.std(axis=0).tobytes()


def test_float32_columns_of_parquet_have_their_own_resolution(tmp_path: Path, table: pd.DataFrame) -> None:
    """The same numbers as text are looked at as what they may be, and scaled as what they are."""
    value = np.float32(14.62)
    v = np.where(np.arange(N) % 3, value, np.nextafter(value, np.float32(15)))
    table = table.assign(v=v.astype(np.float32))
    words = "warning: t.parquet: column 'v': holds 14.62 in every row, but for rounding"
    assert told(tmp_path, table, "t.parquet") == [words + LEAVE_OUT, PASTE]
    scaling = build(tmp_path, path="t.parquet", targets=["y"]).x_scaling
    assert (round(scaling.mean[2], 4), scaling.scale[2]) == (14.62, 1.0)
    words = "warning: t.csv: column 'v': differs from 14.62 by rounding only, as it seems"
    assert told(tmp_path, table.astype(np.float64), "t.csv") == [words + LEAVE_OUT, PASTE]
    assert build(tmp_path, targets=["y"]).x_scaling.scale[2] == pytest.approx(4.5e-7, rel=0.1)


SWEEP = {"activation": "tanh", "depth": 1, "width": 10, "optimizer": "adam", "learning_rate": 0.02, "steps": 1000}
SWEEPS = {"small": SWEEP}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of y = x^2 / 3 over a supply voltage that is 14.62 but for one bit, with a level that is 0.5 likewise."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(3).uniform(1, 9, 100).round(3)
    supply = np.where(np.arange(100) % 2, 14.62, 14.620000000000001)
    assert np.ptp(supply) > 0
    level = np.where(np.arange(100) % 3, 0.5, np.nextafter(0.5, 1))
    table = pd.DataFrame({"supply": supply, "x": x, "y": (x**2 / 3).round(3), "level": level})
    table.to_csv("t.csv", index=False)
    return tmp_path


def test_predictions_beside_a_nearly_constant_column_are_right(study: Path) -> None:
    """At 14.63, which no row has, as at 14.62: 8.3 for x = 5, and 1.3 for x = 2. They were 1e13."""
    studies.complete(study, SWEEPS, source="file", path="t.csv", targets=["y"], features=["supply", "x"])
    Path("new.csv").write_text("supply,x\n14.62,5\n14.63,5\n14.6,2\n", encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", "new.csv", "--output", "out.csv"])
    assert end.value.code == 0
    assert pd.read_csv("out.csv")["y_predicted"].to_numpy() == pytest.approx([25 / 3, 25 / 3, 4 / 3], abs=0.5)


def test_a_nearly_constant_target_is_predicted_as_its_value(study: Path) -> None:
    """Beside another target: its errors are counted in its own units."""
    assert [str(notice) for notice in build(study, targets=["y", "level"], features=["x"]).notices] == [
        "warning: t.csv: column 'level': holds 0.5 in every row, but for rounding; a target such as this leaves "
        "nothing to learn"
    ]
    studies.complete(study, SWEEPS, source="file", path="t.csv", targets=["y", "level"], features=["x"])
    predicted = pd.read_csv(Paths(study).test_predictions)
    assert predicted["level_predicted"].to_numpy() == pytest.approx(0.5, abs=0.1)
    assert predicted["y_predicted"].to_numpy() == pytest.approx(predicted["y"].to_numpy(), abs=1)
