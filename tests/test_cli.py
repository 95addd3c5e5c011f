"""The `shoal` command: what it prints, what it writes, and how it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from shoal.pipeline import progress, store
from shoal.pipeline.numbers import number
from shoal.pipeline.paths import Paths
from shoal.pipeline.tasks.regression import MSE
from shoal.pipeline.terminal import cli
from tests import studies

SWEEPS = {"sizes": studies.SIZES, "branches": studies.BRANCHES}
Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return studies.complete(tmp_path_factory.mktemp("study"), SWEEPS, source="file")


@pytest.fixture
def study(finished: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of a finished study as the current folder, with a table of two speeds and angles in it."""
    study = studies.copied(finished, tmp_path, monkeypatch)
    Path("new.csv").write_text("angle_deg,name,speed_m_s\n45,a,20.5\n30.25,b,40\n", encoding="utf-8")
    return study


def shoal(capsys: Captured, *words: str) -> tuple[int, str, str]:
    """Exit status, output and error output of a command."""
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    out, err = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, out, err


def refusal(capsys: Captured, *words: str) -> list[str]:
    """The lines that a command refuses with."""
    return studies.refusal(lambda: cli.main(words), capsys).splitlines()


# ---- check


def test_check_of_a_good_file(study: Paths, capsys: Captured) -> None:
    before = studies.files(Path())
    status, out, err = shoal(capsys, "check")
    assert (status, out.splitlines()[-1], err) == (0, "params.yaml: fine (2 sweeps: sizes, branches)", "")
    assert studies.files(Path()) == before


def test_check_tells_all_faults_at_once(study: Paths, capsys: Captured) -> None:
    bad = {"sizes": studies.SIZES | {"width": "wide"}, "batch": studies.BATCH | {"batch_size": 181}}
    studies.write(Path(), bad, source="file", targets=["range"])
    lines = refusal(capsys, "check")
    starts = ("params.yaml: sweeps.sizes.width: found 'wide'; allowed: ", "params.yaml: data.targets[0]: found 'range'")
    assert len(lines) == 2
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))
    studies.write(Path(), bad | {"sizes": studies.SIZES}, source="file")
    assert refusal(capsys, "check") == [
        "params.yaml: sweeps.batch.batch_size: found 181; "
        "allowed: whole numbers from 1 to 180, the number of training samples, or full"
    ]


@pytest.mark.parametrize("words", ["check", "show", "compare a b", "predict new.csv --output out.csv"])
def test_a_folder_without_params(words: str, capsys: Captured, in_empty: Path) -> None:
    [line] = refusal(capsys, *words.split())
    assert line.startswith("params.yaml")


@pytest.fixture
def in_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---- show

SCOPE = """\
The interval is over random starts on this one split of the data; it does not say how the error varies with other rows.
"""
FEW = "Errors and claims rest on 29 test rows only (fewer than 30): on other rows they may well differ.\n"
GOLDEN = {
    3: """\
rates: test mse = mean of (y_hat - y)^2, over 3 replicates

      batch size   steps   median      q1      q3       min     max   diverged
 ──────────────────────────────────────────────────────────────────────────────
              10       5    0.500   0.250   0.750   1.23e-7   0.800      0 / 3
  *         full      20      inf     123     inf      2.00     inf      2 / 3

*: smallest median validation mse. A diverged network counts as infinite.
q1, q3: quartiles over the replicates
min, max: their range, where they are fewer than 10
""",
    10: """\
rates: test mse = mean of (y_hat - y)^2, over 10 replicates

      batch size   steps   median      q1      q3   typical     low   high   diverged
 ─────────────────────────────────────────────────────────────────────────────────────
              10       5    0.500   0.250   0.750     0.316   0.100   1.00     0 / 10
  *         full      20      inf     123     inf       inf    1000    inf     2 / 10

*: smallest median validation mse. A diverged network counts as infinite.
q1, q3: quartiles over the replicates
typical: 10^(interquartile mean of log10 test mse), from 10 replicates on
low, high: 95 % bootstrap interval of typical
""",
}


@pytest.mark.parametrize(("optimizer", "replicates", "n_test"), [("gd", 3, 30), ("adam", 10, 29)])
def test_show_prints_the_table_of_cells(
    in_empty: Path, capsys: Captured, optimizer: str, replicates: int, n_test: int
) -> None:
    studies.write(in_empty, {"rates": studies.RATES})
    errors = {"median": [0.5, np.inf], "q1": [0.25, 123.456], "q3": [0.75, np.inf], "min": [1.23456e-7, 2.0]}
    errors |= {"max": [0.8, np.inf]}
    cells = {"sweep": "rates", "cell": ["a", "b"], "activation": "tanh", "depth": 1, "width": 4, "hidden_sizes": "4"}
    cells |= {
        "optimizer": optimizer,
        "learning_rate": 0.1,
        "batch_size": pd.array([10, None], "Int64"),
        "steps": [5, 20],
        "validation_error_median": [2.0, 1.0],
    }
    cells |= {"alpha": None, "error": "mse", "n_networks": replicates, "n_diverged": [0, 2]}
    few = replicates < 10
    cells |= {"log10_test_error_iqm": [-0.5, np.inf]}
    cells |= {"log10_test_error_iqm_low": [None, None] if few else [-1.0, 3.0]}
    cells |= {"log10_test_error_iqm_high": [None, None] if few else [0.0, np.inf]}
    table = pd.DataFrame(cells | {f"test_error_{name}": values for name, values in errors.items()})
    table = table.reindex(columns=[*store.HELD["cells.parquet"], *MSE.interval_columns])
    store.write_table(Paths().data / "test.parquet", pd.DataFrame({"x": np.zeros(n_test)}))
    store.write_table(Paths().cells, table.astype(MSE.interval_columns))
    status, out, err = shoal(capsys, "show")
    assert (status, err) == (0, "")
    warning = FEW if n_test < 30 else ""
    scope = SCOPE.replace("interval", "range") if few else SCOPE
    assert [line.rstrip() for line in out.splitlines()] == (GOLDEN[replicates] + scope + warning).splitlines()


def test_show_has_the_numbers_of_every_cell_and_marks_the_best(study: Paths, capsys: Captured) -> None:
    _, out, _ = shoal(capsys, "show")
    lines = [line.split() for line in out.splitlines()]
    cells = store.read_table(study.cells)
    best = cells.loc[cells.groupby("sweep")["validation_score_median"].idxmin(), "cell"]
    for _, cell in cells.iterrows():
        axes = (
            [cell["cell"]] if cell["sweep"] == "branches" else [str(cell[k]) for k in ("activation", "depth", "width")]
        )
        errors = [number(cell[f"test_score_{name}"]) for name in ("median", "q1", "q3", "min", "max")]
        rate = [str(cell["learning_rate"])] if cell["sweep"] == "sizes" else []
        mark = ["*"] if cell["cell"] in set(best) else []
        assert [*mark, *axes, *rate, *errors, "0", "/", str(cell["n_networks"])] in lines


def test_show_of_one_sweep(study: Paths, capsys: Captured) -> None:
    _, out, _ = shoal(capsys, "show", "branches")
    assert "scalar" in out
    assert "sizes" not in out


def test_show_of_an_unknown_sweep(study: Paths, capsys: Captured) -> None:
    assert refusal(capsys, "show", "size") == ["params.yaml: found no sweep 'size'; allowed: sizes, branches"]


@pytest.mark.parametrize("words", ["show", "compare a b", "predict input/example.csv --output out.csv"])
def test_results_that_are_not_there_yet(words: str, in_empty: Path, capsys: Captured) -> None:
    studies.write(in_empty, SWEEPS)
    [line] = refusal(capsys, *words.split())
    assert line.endswith(": no such file; run `dvc repro` first, in the folder of params.yaml")
    assert line.startswith(("evaluation", "data"))


def test_show_of_a_sweep_that_has_not_run_yet(study: Paths, capsys: Captured) -> None:
    studies.write(Path(), SWEEPS | {"ridge": studies.RIDGE}, source="file")
    _, out, _ = shoal(capsys, "show")
    assert "scalar" in out
    assert "ridge: no results yet; run `dvc repro`" in out


# ---- predict


def test_predict_appends_the_predictions_of_the_chosen_network(study: Paths, capsys: Captured) -> None:
    test = pd.read_csv(study.test_predictions)
    test[["speed_m_s", "angle_deg"]].assign(name="x, y").to_csv("new.csv", index=False)
    assert shoal(capsys, "predict", "new.csv", "--output", "out.csv") == (0, "out.csv: 60 rows\n", "")
    out = pd.read_csv("out.csv")
    assert list(out) == ["row", "speed_m_s", "angle_deg", "name", "range_m_predicted", "height_m_predicted"]
    assert set(out["name"]) == {"x, y"}
    assert list(out["row"]) == list(range(1, 61))
    own = out.drop(columns=["name", "row"])
    pd.testing.assert_frame_equal(own, test[own.columns], check_exact=True)


def test_predict_with_any_network(study: Paths, capsys: Captured) -> None:
    """Columns go by name, not by place; a prediction is what NumPy makes of the stored weights."""
    train = pd.read_parquet(study.data / "train.parquet")
    mean, scale = train.mean().to_numpy(), train.std(ddof=0).to_numpy()
    for key in store.read_table(study.runs("sizes"))["network_id"][::7]:
        assert shoal(capsys, "predict", "new.csv", "--output", "out.csv", "--network", key)[0] == 0
        out = pd.read_csv("out.csv")
        assert list(out)[:4] == ["row", "angle_deg", "name", "speed_m_s"]
        network = store.load_network(study, ["sizes"], key)
        x = (np.array([[20.5, 45], [40, 30.25]]) - mean[:2]) / scale[:2]
        expected = studies.forward(str(network.architecture), network.params, x) * scale[2:] + mean[2:]
        np.testing.assert_allclose(out[["range_m_predicted", "height_m_predicted"]], expected, rtol=1e-9)


def test_predict_with_an_unknown_network(study: Paths, capsys: Captured) -> None:
    assert refusal(capsys, "predict", "new.csv", "--output", "out.csv", "--network", "abc") == [
        "--network: found no network 'abc' in the results of sizes, branches; "
        "allowed: a network_id from results/<sweep>/runs.parquet or the MLflow UI"
    ]


@pytest.mark.parametrize(
    ("table", "starts"),
    [
        ("angle_deg\n45\n", ["new.csv: found no column 'speed_m_s'; allowed: a column of new.csv: angle_deg"]),
        ("angle_deg,speed_m_s\n45,fast\n,2\n", ["new.csv: column 'speed_m_s', row 2: found 'fast'; allowed: a number",
                                                "new.csv: column 'angle_deg', row 3: found an empty cell; allowed: "]),
        ("", ["new.csv: found an empty file; allowed: a table with named columns"]),
    ],
)  # fmt: skip
def test_predict_refuses_a_bad_table(study: Paths, capsys: Captured, table: str, starts: list[str]) -> None:
    Path("new.csv").write_text(table, encoding="utf-8")
    lines = refusal(capsys, "predict", "new.csv", "--output", "out.csv")
    assert len(lines) == len(starts)
    assert all(line.startswith(start) for line, start in zip(lines, starts, strict=True))


def test_predict_refuses_a_table_that_is_not_there(study: Paths, capsys: Captured) -> None:
    [line] = refusal(capsys, "predict", "gnu.csv", "--output", "out.csv")
    assert line == "gnu.csv: found 'gnu.csv', which does not exist; allowed: an existing file; did you mean 'new.csv'?"


# ---- words and progress


@pytest.mark.parametrize("words", [[], ["frobnicate"], ["predict", "new.csv"]])
def test_unknown_words_are_refused_with_the_usage(words: list[str], study: Paths, capsys: Captured) -> None:
    assert refusal(capsys, *words)[0].startswith("usage: shoal")


def test_progress_counts_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    for force, expected in (("", False), ("1", True)):
        monkeypatch.setenv("FORCE_COLOR", force)
        with progress.bar("sweep x") as advance:
            advance(3, 4)
        progress.note("compiling")
        out, err = capsys.readouterr()
        assert not out
        assert all((text in err) == expected for text in ("sweep x", "3/4", "compiling"))
