"""`shoal init`: what it says of a table, the folder that it writes, and `dvc repro` in it, wherever it lies."""

from __future__ import annotations

import html
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc.repo import Repo
from ruamel.yaml import YAML

from shoal.pipeline import config
from shoal.pipeline.begin import rule, targets, texts
from shoal.pipeline.begin.columns import FEATURE, NAMES, look
from shoal.pipeline.begin.columns import IGNORED as NOT_USED
from shoal.pipeline.config.data_block import DataConfig, Splits
from shoal.pipeline.data import readers
from shoal.pipeline.paths import Paths
from shoal.pipeline.preparation import BOOLEAN, CATEGORY, NUMBER
from shoal.pipeline.provenance import hashes
from shoal.pipeline.stages import version
from shoal.pipeline.statistics import conformal
from shoal.pipeline.statistics.signed_ranks import smallest_p
from shoal.pipeline.study.check import check
from shoal.pipeline.study.plan import Setting
from shoal.pipeline.terminal import cli
from tests import studies
from tests.datasets import FRACTIONS, MIXED
from tests.studies import ROOT

Captured = pytest.CaptureFixture[str]


def houses(rows: int = 60) -> pd.DataFrame:
    """Features of every kind among columns of every other kind, and the price."""
    rng = np.random.default_rng(3)
    size, age = rng.normal(size=(2, rows)).round(3)
    counted = np.arange(rows)
    price = (20 + 5 * size - 2 * age**2).round(2)
    columns = {
        "rownames": counted + 1,
        "size": size,
        "town": np.array(["north", "south"])[counted % 2],
        "note": [f"note {i % 40}" for i in counted],
        "deed": [f"deed {i}" for i in counted],
        "sold": [f"2020-01-{i % 28 + 1:02}" for i in counted],
        "new": np.array(["true", "false"])[counted % 2],
        "lot": np.where(counted == 7, np.nan, age),
        "mixed": ["n. a.", *map(str, counted[1:])],
        "blank": "",
        "agent_id": counted % 17,
        "age": age,
        "euro": price * 2,
        "price": price,
    }
    return pd.DataFrame(columns)


IGNORED = {
    "rownames": "looks like a row number (each whole number from 1 to 60 once)",
    "note": "text, 29 different values in 38 rows to train on",
    "sold": "dates such as '2020-01-01'",
    "mixed": "row 2 has 'n. a.' (if that stands for no value: missing_values)",
    "blank": "no value in the rows to train on",
    "agent_id": "is named like an id (17 different numbers)",
    "euro": "follows the column 'price' on a straight line in every row (2 price + 0)",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with houses.csv in it, in no git repository."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    houses().to_csv(folder / "houses.csv", index=False)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


def init(*words: str) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["init", *words])
    assert end.value.code == 0


# ---- what it says and writes


def test_what_it_sees_is_told_and_written(here: Path, capsys: Captured) -> None:
    init("houses.csv", "--target", "price")
    out, err = capsys.readouterr()
    assert not err
    seen, now = out.splitlines()
    some = ", ".join(f"{name} ({reason.partition(' (')[0]})" for name, reason in list(IGNORED.items())[:5])
    assert seen == (
        f"houses.csv: 60 rows; deed names the rows; ignored: {some} and 2 more; without a value: lot 1; 5 features; "
        "48 in 5 folds, each to validate in turn; 12 to test"
    )
    assert now.startswith("houses: 120 networks, about ")
    assert now.endswith("now: cd houses && dvc repro")
    settings = config.load(Paths(here / "houses"))
    assert (settings.data.ignore, settings.data.targets, settings.data.id) == (tuple(IGNORED), ("price",), ("deed",))
    assert (settings.data.missing.numbers, settings.data.missing.categories) == ("median", None)
    assert (settings.report.title, settings.tracking.experiment) == ("houses: price from 60 rows", "houses")
    assert (settings.choose, settings.interval, settings.report.parts) == ({"best": 4}, rule.LEVEL, {})
    assert settings.data.splits == Splits(kind="kfold", folds=5)
    text = (here / "houses" / "params.yaml").read_text(encoding="utf-8")
    assert all(re.search(rf"- {name} +# {re.escape(reason)}\n", text) for name, reason in IGNORED.items())
    assert (here / "houses" / "houses.csv").read_bytes() == (here / "houses.csv").read_bytes()
    assert sorted(path.name for path in here.iterdir()) == ["houses", "houses.csv"]


def test_a_table_without_suspects_and_several_targets(here: Path, capsys: Captured) -> None:
    table = houses().rename(columns={"age": 'a "b": #\x07'})[["size", 'a "b": #\x07', "lot", "price"]].dropna()
    table.to_parquet("t t.parquet")
    init("t t.parquet", "mine", "--target", "last", "--target", "size")
    settings = config.load(Paths(here / "mine"))
    assert settings.data.targets == ("price", "size")
    assert settings.data.ignore == ("lot",)  # a copy of the one before
    assert settings.report.title == "t t: 2 targets from 59 rows"
    assert settings.tracking.experiment == "t-t"


def test_a_table_that_needs_no_words_has_none(here: Path, capsys: Captured) -> None:
    houses(700)[["size", "age", "price"]].to_csv("plain.csv", index=False)
    init("plain.csv", "--target", "price")
    assert capsys.readouterr().out.startswith(
        "plain.csv: 700 rows; 2 features; 525 / 70 / 35 / 70 to train, validate, calibrate, test\n"
    )
    settings = config.load(Paths(here / "plain"))
    assert (settings.interval, settings.data.fractions.calibration) == (rule.LEVEL, 0.05)
    assert (settings.data.ignore, settings.data.id, settings.data.missing.numbers) == (None, None, None)


def test_rows_in_the_order_of_a_date_are_split_by_it_where_the_user_says_so(here: Path, capsys: Captured) -> None:
    table = houses()[["size", "age", "price"]]
    table.insert(0, "day", pd.date_range("2024-01-31", periods=60).strftime("%Y-%m-%d"))
    table.to_csv("series.csv", index=False)
    init("series.csv", "--target", "price")
    assert "day follows the rows" in capsys.readouterr().out
    params = here / "series" / "params.yaml"
    assert config.load(Paths(params.parent)).data.splits is None
    text = params.read_text(encoding="utf-8")
    params.write_text(text.replace("# splits: {kind: ordered, c", "splits: {kind: ordered, c"), encoding="utf-8")
    assert config.load(Paths(params.parent)).data.splits == Splits(kind="ordered", column="day")
    assert not check(Paths(params.parent)).faults
    init("series.csv", "mine", "--target", "price", "--order", "day")
    seen = capsys.readouterr().out.splitlines()[0]
    assert seen == "series.csv: 60 rows; 2 features; 36 / 12 / 12 to train, validate, test, in the order of day"
    found = config.load(Paths(here / "mine")).data
    assert (found.splits, found.ignore) == (Splits(kind="ordered", column="day"), None)


def test_numbers_with_signs_are_no_names_of_rows(here: Path, capsys: Captured) -> None:
    table = houses()[["size", "age", "price"]]
    table["share"], table["fee"] = table["age"].map("{}%".format), table["size"].map("€ {}".format)
    table.to_csv("signs.csv", index=False)
    init("signs.csv", "--target", "price")
    told = capsys.readouterr().out
    assert (
        f"ignored: share (numbers with a sign, {table['share'][0]}: write them without it), fee (numbers with" in told
    )


def test_the_form_of_a_text_is_said_where_it_cannot_be_found(here: Path, capsys: Captured) -> None:
    rows = ["größe;y", "1,234;2,345", "5,678;1,111", "7,891;3,141", "2,718;4,669", "1,618;1,414"]
    (here / "t.csv").write_bytes("\n".join(rows).encode("latin-1"))
    told = studies.refusal(lambda: cli.main(["init", "t.csv", "--target", "y"]), capsys)
    assert (
        told.startswith("t.csv: row 1: found bytes that are not UTF-8") and "or say --encoding (latin-1, ...)" in told
    )
    words = ["init", "t.csv", "--target", "y", "--encoding", "latin-1"]
    told = studies.refusal(lambda: cli.main(words), capsys)
    assert "numbers such as 1,234 alone" in told and told.endswith(
        "allowed: --decimal, '.' or ',', which says what they are\n"
    )
    told = studies.refusal(lambda: cli.main([*words, "--decimal", ";", "--header-row", "0"]), capsys)
    assert told.splitlines()[0] == "--decimal: found ';'; allowed: '.', ','"
    init(*words[1:], "--decimal", ",", "--header-row", "1", "--separator", ";")
    data = config.load(Paths(here / "t")).data
    assert (data.encoding, data.decimal, data.header_row, data.separator) == ("latin-1", ",", 1, ";")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["Bern", "Genf", "Zug"], "kind holds text (Bern, Genf, Zug): classes"),
        ([True, False], "kind holds true and false: classes"),
        ([0, 1, 2, 3], "kind holds the whole numbers from 0 to 3: classes"),
    ],
)
def test_a_target_of_classes_is_classified(here: Path, labels: list[object], said: str, capsys: Captured) -> None:
    table = houses(700)[["size", "age"]]
    table["kind"] = [labels[i % len(labels)] for i in range(700)]
    table.to_csv("t.csv", index=False)
    init("t.csv", "--target", "kind")
    seen = f"700 rows; {said}; 2 features; 630 in 5 folds, each to validate in turn; 70 to test"
    assert seen in capsys.readouterr().out
    settings = config.load(Paths(here / "t"))
    assert (settings.data.task, settings.interval) == ("classification", None)
    assert not check(Paths(here / "t")).faults


def test_a_class_of_one_row_is_in_no_folds(here: Path, capsys: Captured) -> None:
    """The fold that holds it out could not be judged; of rows split once, it is trained on."""
    table = houses()[["size", "age"]].assign(kind=["hut", *["flat", "house"] * 29, "flat"])
    table.to_csv("t.csv", index=False)
    init("t.csv", "--target", "kind")
    assert "36 / 12 / 12 to train, validate, test" in capsys.readouterr().out
    settings = config.load(Paths(here / "t"))
    assert (settings.data.splits, settings.choose) == (None, {"best": 40})


@pytest.mark.parametrize("is_text", [False, True])
def test_an_index_that_pandas_wrote_without_a_name_is_no_feature(here: Path, is_text: bool, capsys: Captured) -> None:
    table = houses()[["size", "age", "price"]]
    (table.set_axis([f"r{i}" for i in table.index]) if is_text else table).to_csv("t.csv")
    init("t.csv", "--target", "price")
    use = "index names the rows" if is_text else "ignored: index (was the index of a table: names of rows, as it seems)"
    assert f"60 rows; {use}; 2 features" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["b", "a", "c", "d"], "text (b, a, c, …)"),
        (["True", "false"], "true and false"),
        ([1.0, 0.0, 2.0], "the whole numbers from 0 to 2"),
        ([1, 2], ""),
        ([0, 1.5], ""),
        (["1", "x"], ""),
        (list(range(21)), ""),
    ],
)
def test_what_looks_like_classes(tmp_path: Path, values: list[object], found: str) -> None:
    pd.DataFrame({"y": values * 2}).to_csv(tmp_path / "t.csv", index=False)
    assert targets.classes(readers.read(tmp_path, "t.csv", ""), "y") == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["houses.csv"], "--target: found nothing; allowed: one or several columns of houses.csv (rownames, size, "),
        (["houses.csv", "--target", "prize"], "--target: found no column 'prize'; allowed: a column of houses.csv: "),
        (
            ["houses.csv", "--target", "town", "--target", "age"],
            "houses.csv: column 'town': found text (north, south); allowed: numbers, as there are several targets; ",
        ),
        (["houses.csv", "--target", "size", "age"], "houses: found a file of this name; allowed: a new folder, or an"),
        (["houses.csv", "full", "--target", "age"], "full: found a folder that is not empty (mine); allowed: a new"),
        (["houses.csv", "a/b", "--target", "age"], "a/b: found no folder 'a' to make it in; allowed: a new folder"),
        (["none.csv", "--target", "age"], "none.csv: found 'none.csv', which does not exist; allowed: an existing"),
        (
            ["id.csv", "--target", "y"],
            "id.csv: found id (is named like an id); allowed: at least one column to predict",
        ),
        (["houses.csv", "--target", "age", "--order", "day"], "--order: found no column 'day'; allowed: a column of"),
        (["houses.csv", "--target", "age", "--order", "age"], "--order: found 'age'; allowed: a column that is not "),
        (["houses.csv", "--target", "age", "--order", "town"], "houses.csv: column 'town', row 2: found 'north'; allo"),
        (["short.csv", "--target", "y"], "short.csv: found 3 rows; allowed: at least 4, to train, validate and test"),
    ],
)
def test_what_cannot_be_begun_is_told_in_a_line_and_nothing_is_written(
    words: list[str], said: str, here: Path, capsys: Captured
) -> None:
    Path("houses").write_text("mine", encoding="utf-8")
    Path("full").mkdir()
    Path("full/mine").write_text("mine", encoding="utf-8")
    for name, rows in (("id.csv", 5), ("short.csv", 3)):
        pd.DataFrame({"id": np.arange(rows) + 1, "y": 0.5, "x": np.sqrt(np.arange(rows))}).to_csv(name, index=False)
    pd.read_csv("id.csv")[["id", "y"]].to_csv("id.csv", index=False)
    told = studies.refusal(lambda: cli.main(["init", *words]), capsys)
    assert told.startswith(said)
    assert told.count("\n") == 1


def test_a_second_one_is_refused_and_a_folder_with_the_table_alone_is_not(here: Path, capsys: Captured) -> None:
    written = (here / "houses.csv").stat().st_mtime_ns
    init("houses.csv", ".", "--target", "price")
    assert capsys.readouterr().out.endswith("now: dvc repro\n")
    assert (here / "houses.csv").stat().st_mtime_ns == written
    assert not list(here.glob(".*.tmp"))
    assert studies.refusal(lambda: cli.main(["init", "houses.csv", ".", "--target", "price"]), capsys).startswith(
        ".: found a folder that is not empty (.dvc, .dvcignore, .gitignore, .python, README.md, dvc.yaml, params.yaml"
    )


def test_what_ends_in_the_middle_leaves_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    """Into a folder that is there, files are moved one by one."""
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if path.name == "params.yaml":
            raise OSError(28, "No space left on device", str(target))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    assert "no space left" in studies.refusal(
        lambda: cli.main(["init", "houses.csv", ".", "--target", "price"]), capsys
    )


@pytest.mark.parametrize("ignored", [False, True])
def test_a_dvc_project_with_git_or_without(here: Path, ignored: bool) -> None:
    init("houses.csv", "--target", "price")
    with Repo("houses") as repo:
        assert repo.config["core"]["no_scm"]
        assert not repo.config["core"]["analytics"]
    subprocess.run(["git", "init", "--quiet"], check=True)
    Path(".gitignore").write_text("inside\n" if ignored else "", encoding="utf-8")
    init("houses.csv", "inside", "--target", "price")
    with Repo("inside") as repo:
        assert repo.config["core"].get("no_scm", False) == ignored
        assert ignored or Path(repo.scm.root_dir) == here
    untracked = subprocess.run(["git", "status", "--short", "-uall"], capture_output=True, text=True, check=True).stdout
    assert ("?? inside/.dvc/config\n" in untracked) != ignored
    assert ".python" not in untracked.replace("houses/.python", "")


def test_kinds_follow_the_cells_and_not_the_type(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"flag": [True, False] * 20, "gap": [None, 1.5, 2.5, 4] * 10, "when": pd.Timestamp("2020-01-01")}
    )
    table["customerId"], table["grid"], table["y"] = [10, 11] * 20, [3, 4] * 20, np.arange(40) * 0.5
    table["flat"], table["key_id"] = "north", np.arange(40) * 7 % 41
    table.to_parquet(tmp_path / "t.parquet")
    settings = DataConfig.model_validate(
        {
            "source": "file",
            "path": "t.parquet",
            "targets": ["y"],
            "features": None,
            "split_seed": 0,
            "standardise": True,
        }
        | {"fractions": FRACTIONS, "missing": MIXED["missing"]}
    )
    found = {column.name: column for column in look(readers.read(tmp_path, "t.parquet", ""), settings, np.arange(30))}
    assert [(column.kind, column.use) for column in found.values()] == [
        (BOOLEAN, FEATURE),
        (NUMBER, FEATURE),
        ("dates", NOT_USED),
        (NUMBER, NOT_USED),
        (NUMBER, NOT_USED),
        (CATEGORY, NOT_USED),
        (NUMBER, NAMES),
    ]
    assert (found["gap"].n_gaps, found["gap"].n_inputs) == (10, 2)
    assert found["customerId"].reason == "is named like an id (2 different numbers)"
    assert found["grid"].reason.startswith("follows the column 'flag' on a straight line in every row")
    assert found["flat"].reason == "has one level in the rows to train on (flat=north)"


# ---- dvc repro

SMALL = """
sweeps:
  first: {activation: relu, depth: 1, width: 3, optimizer: adam, learning_rate: 0.01, batch_size: 16, epochs: 2}
"""
OF_THE_REPOSITORY = re.compile(r"assignment|\bmake |kernels/|pipeline/|repository|requirements|author|\bsin\(x\)|Code:")


def repro(folder: Path) -> None:
    """Run `dvc repro` where no virtual environment is active."""
    command = [sys.executable, "-m", "dvc", "repro"]
    environment = {"PATH": os.defpath, "HOME": os.environ["HOME"]}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.filterwarnings("ignore:_NoneStep.value will soon:DeprecationWarning")
def test_dvc_repro_does_the_rest_and_a_moved_study_is_up_to_date(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    init("houses.csv", "--target", "price")
    params = here / "houses" / "params.yaml"
    head, _, _ = params.read_text(encoding="utf-8").partition("\nsweeps:")
    params.write_text(head + SMALL, encoding="utf-8")
    repro(here / "houses")

    lock = YAML(typ="safe").load((here / "houses" / "dvc.lock").read_text(encoding="utf-8"))
    places = [part["path"] for stage in lock["stages"].values() for part in stage.get("deps", []) + stage["outs"]]
    assert not [place for place in places if Path(place).is_absolute() or ".." in place]
    assert str(here) not in str(lock) and sys.prefix not in str(lock)

    moved = (here / "houses").rename(here / "mine")
    monkeypatch.chdir(moved)
    monkeypatch.setenv("PATH", os.defpath)
    with Repo() as repo:
        assert [stage.addressing for stage in repo.reproduce()] == ["version"]

    page = (moved / "report" / "report.html").read_text(encoding="utf-8")
    words = html.unescape(
        re.sub(r"<style.*?</style>|<svg.*?</svg>|<math.*?</math>|<[^>]*>", " ", page, flags=re.DOTALL)
    )
    assert "houses: price from 60 rows" in words
    assert not OF_THE_REPOSITORY.findall(words + (moved / "docs" / "results.md").read_text(encoding="utf-8"))
    with closing(sqlite3.connect(moved / "mlflow.db")) as store:
        assert ("houses-first",) in store.execute("SELECT name FROM experiments").fetchall()

    for words_ in (["check"], ["show"], ["predict", "houses.csv", "--output", "out.csv"]):
        with pytest.raises(SystemExit) as end:
            cli.main(words_)
        assert end.value.code == 0
    assert "not up to date" not in capsys.readouterr().err
    assert "price_predicted" in pd.read_csv("out.csv")


def test_no_shoal_is_told_in_a_line(here: Path) -> None:
    init("houses.csv", "--target", "price")
    (here / "houses" / ".python").unlink()
    command = ["/bin/sh", "stage.sh", "data"]
    done = subprocess.run(command, cwd=here / "houses", env={"PATH": ""}, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("stage.sh: found no Python with shoal; allowed: an active environment that has it")
    assert done.stderr.count("\n") == 1


# ---- the first sweep


@pytest.mark.parametrize("rows", [2, 30, 300, 5_000, 100_000, 10**7])
@pytest.mark.parametrize("features", [1, 20, 500])
@pytest.mark.parametrize("classifies", [False, True])
def test_the_first_sweep_is_short_where_a_rung_is(rows: int, features: int, classifies: bool) -> None:
    setting = Setting(features, 1, rows, 8, 2, rows // 8, n_folds=5 if rows < 300 else 1)
    first, larger = (rule.first_sweep(one, classifies) for one in (setting, replace(setting, n_samples=2 * rows)))
    last = rule.LADDER[-1]
    assert first.operations <= rule.OPERATIONS or first.block["epochs"] == last.epochs
    assert first.networks >= larger.networks >= rule.ANSWERING
    assert first.block["batch_size"] == ("full" if rows < 32 else 32)
    assert not classifies or first.block["epochs"] <= rule.LONGEST_OF_CLASSES


@pytest.mark.parametrize("classifies", [False, True])
def test_each_comparison_of_a_first_sweep_could_be_shown(classifies: bool) -> None:
    """Neighbours along each axis, at each combination of the others."""
    block = rule.first_sweep(Setting(5, 1, 500, 8, 2, 50), classifies).block
    axes = [len(value) for value in block.values() if isinstance(value, list)]
    n = sum((prod(axes) // size) * (size - 1) for size in axes)
    assert n * smallest_p(block["replicates"]) < 0.05


@pytest.mark.parametrize("rows", [4, 10, 11, 12, 299, 300, 599, 600, 9_999, 10_000])
def test_shares_leave_no_part_without_rows(rows: int) -> None:
    first, *others = rule.cuts(rows, classifies=False)
    *_, last = [first, *others]
    assert sum(last.fractions.values()) == pytest.approx(1)
    assert bool(others) == (first.folds > 1) == (rows < 300)
    of_classes, of_own = rule.cuts(rows, classifies=True), rule.cuts(rows, classifies=False, own=["test"])
    assert not any("calibration" in cut.fractions or cut.has_interval for cut in of_classes)
    assert [cut.folds for cut in of_classes] == ([5, 1] if rows < 10_000 else [1])
    assert all(cut.folds == 1 and "test" not in cut.fractions for cut in of_own)
    n = rows - round(first.fractions["test"] * rows) if others else first.fractions.get("calibration", 0) * rows
    assert first.has_interval == (n >= conformal.rows_needed(rule.LEVEL)) == (11 <= rows < 300 or rows >= 600)


def test_times_are_said_as_people_guess_them() -> None:
    said = [rule.First({}, 1, seconds * rule.SPEED).time(1) for seconds in (0.1, 8.4, 47, 150, 9000)]
    assert said == ["1 s", "8 s", "50 s", "2 min", "2 h"]


# ---- in step with the assignment's study


def test_the_stages_are_those_of_this_repository_but_for_where_the_sources_are() -> None:
    own = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    new = YAML(typ="safe").load(texts.source("stages.yaml"))
    assert new["stages"].pop("version")["always_changed"]
    for stage in own["stages"].values():
        inner = stage.get("do", stage)
        inner["cmd"] = inner["cmd"].replace("python -m shoal.pipeline.stages.", "sh stage.sh ")
    own["stages"]["data"]["deps"][:2] = ["version/package.txt"]
    own["stages"]["sweep"]["do"]["deps"][0] = "version/engine.txt"
    assert new == own


def test_params_has_the_comments_of_this_repository() -> None:
    """A key's comment is written in both: copy it from here to pipeline/begin/files/params.yaml."""

    def keys(text: str) -> str:
        return text[text.index("# Each block below is a sweep") : text.index("\nsweeps:")]

    assert keys(texts.source("params.yaml")) == keys((ROOT / "params.yaml").read_text(encoding="utf-8"))


def test_which_shoal_is_installed_stands_in_two_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = Paths(tmp_path)
    version.run(paths)
    engine, package = (file.read_text(encoding="utf-8") for file in (paths.engine, paths.package))
    monkeypatch.setattr(hashes, "_SOURCES", (".py",))
    version.run(paths)
    assert paths.engine.read_text(encoding="utf-8") == engine
    assert paths.package.read_text(encoding="utf-8") != package
    suffixes = {path.suffix for path in (ROOT / "pipeline").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert suffixes - {".py", ".md", ".html", ".typ"} <= {".yaml", ".sh", ""}, "files of pipeline/begin alone"
