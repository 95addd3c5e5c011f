"""The chosen network as an MLflow model takes what people have: numbers of any type, and says what else it found."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.predictor import Fitted, Predictor
from shoal.pipeline.scaling import Scaling
from shoal.pipeline.tracking import is_tracked, state, track
from tests import studies
from tests.made_up import SMALL, client_of, copy_store, parent_of, write_results

if TYPE_CHECKING:  # at run time it comes with warnings, which `track` keeps away
    from mlflow.pyfunc import PyFuncModel

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")

ARCHITECTURE = "dense 3 > tanh > dense 1"
PARAMS = np.arange(1, 14) / 10
ROWS = pd.DataFrame({"age": [19, 31, 46], "children": [3, 0, 1]})
EXPECTED = 4 * studies.forward(ARCHITECTURE, PARAMS, (ROWS.to_numpy() - [40, 1]) / [10, 2])[:, 0] + 100


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Paths:
    """A study of two features whose network is in the store."""
    root = tmp_path_factory.mktemp("study")
    copy_store(blank, root / "mlflow.db")
    paths = write_results(root, {"sizes": SMALL})
    scalings = {"x_scaling": {"mean": [40, 1], "scale": [10, 2]}, "y_scaling": {"mean": [100], "scale": [4]}}
    names = {"feature_names": ["age", "children"], "target_names": ["charges"]}
    store.write_json(paths.data / "data.json", {"data_hash": "0123", **names, **scalings})
    store.write_table(paths.data / "train.parquet", ROWS.astype(float).assign(charges=1.0))
    choice = store.read_json(paths.chosen)
    weights = pd.DataFrame({"network_id": [choice["network_id"]], "params": [PARAMS]})
    store.write_table(paths.weights("sizes"), weights)
    runs = store.read_table(paths.runs("sizes")).assign(architecture=ARCHITECTURE)
    store.write_table(paths.runs("sizes"), runs)
    store.write_json(paths.chosen, choice | {"architecture": ARCHITECTURE})
    track(paths, ["sizes"])
    return paths


def load(paths: Paths, model_id: str) -> PyFuncModel:
    return mlflow.pyfunc.load_model(str(paths.mlflow_artifacts / "sizes" / "models" / model_id / "artifacts"))


def model_id(paths: Paths) -> str:
    return parent_of(paths, "sizes").data.tags["shoal.model"].removeprefix("models:/")


@pytest.fixture(scope="module")
def model(tracked: Paths) -> PyFuncModel:
    return load(tracked, model_id(tracked))


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float64", "float32", "Int64", "Float32", "object"])
def test_numbers_of_any_type_are_numbers(model: PyFuncModel, dtype: str) -> None:
    answer = model.predict(ROWS.astype(dtype))
    assert list(answer) == ["charges_predicted"]
    assert answer["charges_predicted"].to_numpy() == pytest.approx(EXPECTED)


@pytest.mark.parametrize("cell", [True, np.bool_(True), Decimal(1), np.float32(1)])
def test_what_stands_for_one_is_one(model: PyFuncModel, cell: object) -> None:
    """Whole columns of true and false too; index and other columns stay out of the way, and the order is free."""
    table = pd.DataFrame({"name": "a", "children": [cell], "age": [46]}, index=["here"])
    answer = model.predict(table)
    assert answer.loc["here", "charges_predicted"] == pytest.approx(EXPECTED[2])


def test_a_whole_number_beyond_a_double_is_the_nearest_one(model: PyFuncModel) -> None:
    """As in tables: 2^53 + 1 is 2^53."""
    large = [model.predict(pd.DataFrame({"age": [n], "children": [0]})) for n in (2**53, 2**53 + 1)]
    assert large[0].equals(large[1])


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (
            ["19", "31"],
            "'19' in column 'children', row 1; allowed: a finite number\nfound '31' in column",
        ),
        ([2, "many"], "'many' in column 'children', row 2; allowed: a finite number"),
        ([2, None], "nan in column 'children', row 2"),
        ([float("inf"), 2], "inf in column 'children', row 1"),
        (pd.array([2, None], "Int64"), "<NA> in column 'children', row 2"),
        (pd.to_datetime(["2026-01-01", "2026-01-02"]), "Timestamp('2026-01-01 00:00:00') in column 'children', row 1"),
        ([10**400, 2], f"{10**400} in column 'children', row 1"),
    ],
)
def test_a_cell_that_is_no_number_is_named(model: PyFuncModel, cells: Any, found: str) -> None:
    with pytest.raises(MlflowException) as refusal:
        model.predict(pd.DataFrame({"children": cells, "age": [1, 2]}))
    assert refusal.value.message.startswith(f"found {found}")
    assert refusal.value.error_code == "INVALID_PARAMETER_VALUE"


def test_many_bad_cells_are_counted(model: PyFuncModel) -> None:
    with pytest.raises(MlflowException) as refusal:
        model.predict(pd.DataFrame({"age": ["x"] * 13, "children": 1}))
    assert refusal.value.message.splitlines()[9:] == [
        "found 'x' in column 'age', row 10; allowed: a finite number",
        "found 3 more such cells",
    ]


def test_a_column_that_is_missing_or_there_twice_is_named(model: PyFuncModel) -> None:
    twice = pd.DataFrame([[1, 2, 3]], columns=["Age", "children", "children"])
    with pytest.raises(MlflowException) as refusal:
        model.predict(twice)
    assert refusal.value.message.splitlines() == [
        "found 0 columns 'age'; allowed: one, of ['Age', 'children', 'children']",
        "found 2 columns 'children'; allowed: one, of ['Age', 'children', 'children']",
    ]


def served(model: PyFuncModel, body: str, kind: str) -> str:
    """What a model server answers, without the server."""
    from mlflow.pyfunc.scoring_server import invocations

    return str(invocations(body, kind, model, model.metadata.get_input_schema()).response)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", json.dumps({"dataframe_split": ROWS.to_dict(orient="split")})),
        ("application/json", json.dumps({"dataframe_records": ROWS.to_dict(orient="records")})),
        ("application/json", json.dumps({"inputs": ROWS.to_dict(orient="list")})),
        ("application/json", json.dumps({"instances": ROWS.to_dict(orient="records")})),
        ("text/csv", ROWS.to_csv(index=False)),
    ],
)
def test_whole_numbers_by_every_way_of_a_model_server(model: PyFuncModel, kind: str, body: str) -> None:
    predicted = [row["charges_predicted"] for row in json.loads(served(model, body, kind))["predictions"]]
    assert predicted == pytest.approx(EXPECTED)


def test_a_model_server_tells_what_is_wrong_with_a_row(model: PyFuncModel) -> None:
    body = json.dumps({"dataframe_split": {"columns": ["age", "children"], "data": [[19, 3], [31, None]]}})
    with pytest.raises(MlflowException, match="nan in column 'children', row 2; allowed: a finite number") as refusal:
        served(model, body, "application/json")
    assert refusal.value.get_http_status_code() == 400


def test_one_row_and_none(model: PyFuncModel) -> None:
    assert model.predict({"age": 46, "children": 1})["charges_predicted"].tolist() == pytest.approx(EXPECTED[2:])
    assert model.predict(ROWS.head(0)).shape == (0, 1)


def test_columns_are_told_with_the_model(model: PyFuncModel, tracked: Paths) -> None:
    assert model.metadata.signature.outputs.input_names() == ["charges_predicted"]
    [logged] = client_of(tracked).search_logged_models([parent_of(tracked, "sizes").info.experiment_id])
    assert "Takes the columns `age`, `children`, numbers all; gives `charges_predicted`." in logged.tags[
        "mlflow.note.content"
    ]  # fmt: skip


def test_it_answers_where_neither_shoal_nor_the_repository_is_on_the_path(tracked: Paths, tmp_path: Path) -> None:
    """Python without the links to packages under development; the model brings the kernels and the predictor along."""
    folder = tracked.mlflow_artifacts / "sizes" / "models" / model_id(tracked) / "artifacts"
    packages = Path(str(mlflow.__file__)).parent.parent
    code = f"""if True:
        import importlib.util, sys
        sys.path.append({str(packages)!r})
        assert importlib.util.find_spec("shoal") is None
        import mlflow, pandas
        model = mlflow.pyfunc.load_model({str(folder)!r})
        print(model.predict(pandas.DataFrame({ROWS.to_dict("list")!r})).to_json())
        import shoal.pipeline
        print(shoal.pipeline.__file__)
    """
    command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", code]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    answer, place = ended.stdout.splitlines()[-2:]
    assert list(json.loads(answer)["charges_predicted"].values()) == pytest.approx(EXPECTED)
    assert place.startswith(str(folder))


def test_other_code_is_another_model(tracked: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that has the network with the code of before gets it anew; what was logged can still be loaded."""
    before, old = model_id(tracked), tmp_path / "served.py"
    old.write_text(state.SERVED.read_text(encoding="utf-8") + "# as it was\n", encoding="utf-8")
    for module in ("state", "model"):
        monkeypatch.setattr(f"shoal.pipeline.tracking.{module}.SERVED", old)
    assert not is_tracked(tracked, ["sizes"])
    track(tracked, ["sizes"])
    assert model_id(tracked) != before
    assert load(tracked, before).predict(ROWS)["charges_predicted"].to_numpy() == pytest.approx(EXPECTED)


def test_several_networks_answer_with_their_spread_and_an_interval(tmp_path: Path) -> None:
    """Of ends that are not known, none is made up."""
    from mlflow.pyfunc.model import PythonModelContext

    from shoal.pipeline.tracking.served import ServedNetwork

    x_scaling, y_scaling = (
        Scaling(np.array(mean), np.array(scale)) for mean, scale in (([40, 1], [10, 2]), ([100], [4]))
    )
    networks = [Fitted.of(ARCHITECTURE, PARAMS * factor) for factor in (1, 2)]
    predictor = Predictor(("age", "children"), ("charges",), x_scaling, y_scaling, tuple(networks))
    each = [
        4 * studies.forward(ARCHITECTURE, PARAMS * factor, x_scaling.apply(ROWS.to_numpy()))[:, 0] for factor in (1, 2)
    ]
    for width in (1.5, None):
        predictor.with_half_widths([width]).save(tmp_path / "network.json")
        model = ServedNetwork()
        model.load_context(PythonModelContext({"network": str(tmp_path / "network.json")}, {}))
        answer = model.predict(None, ROWS)
        assert list(answer) == [f"charges_{kind}" for kind in ("predicted", "spread", "low", "high")]
        ends = [np.nan] * 3 if width is None else np.mean(each, axis=0) + 100 + width
        np.testing.assert_allclose(answer["charges_predicted"], np.mean(each, axis=0) + 100)
        np.testing.assert_allclose(answer["charges_spread"], np.std(each, axis=0))
        np.testing.assert_allclose(answer["charges_high"], ends)
