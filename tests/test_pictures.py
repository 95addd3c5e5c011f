"""Pictures of a report are drawn once: they are known by all that they show, and by nothing else."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from shoal.kernels.network.architecture import Architecture
from shoal.pipeline import store
from shoal.pipeline.figures import style
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.content import content_hash
from shoal.pipeline.stages import evaluate, predict, report, sweep
from tests import studies

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
)


@dataclass(frozen=True)
class Pair:
    one: Any
    other: Any


@dataclass(frozen=True)
class Twin:
    one: Any
    other: Any


def written(value: object) -> str:
    """JSON tells apart what the hash has to."""
    return json.dumps(value)


@given(VALUES, VALUES)
def test_equal_contents_have_equal_hashes_and_others_do_not(one: Any, other: Any) -> None:
    assert content_hash(copy.deepcopy(one)) == content_hash(one)
    assert (content_hash(one) == content_hash(other)) == (written(one) == written(other))


def table() -> pd.DataFrame:
    return pd.DataFrame({"cell": ["relu-1", "tanh-1"], "error": [0.5, np.inf], "n": [3, 4], "sizes": [(3, 4), None]})


def changed(at: str, value: Any) -> pd.DataFrame:
    column = table()[at].astype(object)
    column.iloc[1] = value
    return table().assign(**{at: column.astype(table()[at].dtype)})


DIFFERENT: list[Any] = [
    *(1, 1.0, True, "1", None, [1], (1,), {"1": 1}, {1: "1"}, [[1], []], [[1, []]], ["ab", ""], ["a", "b"]),
    *(np.array([1.0]), np.array([1]), np.array([[1.0]]), np.array([-0.0]), np.array([0.0]), np.float64(1)),
    *(np.float32(1), Pair(1, 2), Pair(2, 1), Twin(1, 2)),
    *(Architecture.plain((3,), "relu", 1), Architecture.plain((3,), "tanh", 1)),
    *(table(), table().iloc[::-1], table()[["error", "cell", "n", "sizes"]], table().rename(columns={"n": "m"})),
    *(table().astype({"n": float}), changed("cell", "tanh-2"), changed("error", 1e300), changed("sizes", (3, 5))),
    *(table().set_index("cell", drop=False), table().iloc[:1], {"a": table()}, {"b": table()}),
]  # fmt: skip


def test_no_two_of_these_have_the_same_hash() -> None:
    hashes = [content_hash(value) for value in DIFFERENT]
    assert len(set(hashes)) == len(hashes)
    assert hashes == [content_hash(copy.deepcopy(value)) for value in DIFFERENT]


def test_a_table_has_the_hash_of_its_rows_wherever_they_come_from(tmp_path: Path) -> None:
    both = pd.concat([table().assign(n=9), table()], ignore_index=True).drop(columns="sizes")
    part = both[2:].reset_index(drop=True)
    store.write_table(tmp_path / "part.parquet", part)
    assert content_hash(store.read_table(tmp_path / "part.parquet")) == content_hash(part)


@pytest.mark.parametrize("value", [object(), {1}, len, np.array([None])])
def test_what_cannot_be_known_has_no_hash(value: Any) -> None:
    with pytest.raises(TypeError, match="has no hash of its content"):
        content_hash([value])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the figures that were drawn are called, all of them by this process: their labels and legends."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    texts, svg = list[str](), style.svg

    def told(figure: Figure) -> str:
        texts.append(" ".join(axes.get_xlabel() + axes.get_title() for axes in figure.axes))
        return svg(figure)

    monkeypatch.setattr(style, "svg", told)
    return texts


def outputs(paths: Paths) -> dict[str, bytes]:
    return studies.files(paths.root / "report") | studies.files(paths.root / "docs")


def test_a_report_draws_what_is_not_known(tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = studies.SIZES | {"steps": 3, "activation": "tanh", "learning_rate": 0.01, "depth": 1}
    rates = studies.RATES | {"steps": 5}
    sweeps = {"sizes": sizes, "rates": rates}
    study = studies.complete(tmp_path, sweeps, source="function")
    studies.without_gradcheck(study)
    report.run(study)
    n, first = len(drawn), outputs(study)
    assert n == 1 + 2 * 4 + 1, "a network, four figures of each sweep with its heat map, and a glance"
    report.run(study)
    assert len(drawn) == n
    assert outputs(study) == first

    studies.write(tmp_path, sweeps | {"rates": rates | {"learning_rate": [0.01, 0.2]}}, source="function")
    sweep.run(study, "rates")
    evaluate.run(study)
    predict.run(study)
    report.run(study)
    new = drawn[n:]
    assert 4 <= len(new) <= 5, "those of one sweep, and the glance where it shows that one"
    kept = outputs(study)
    for name, content in first.items():
        assert not name.startswith("figures/sizes/") or kept[name] == content

    (study.store / "pictures.json").unlink()
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2})
    report.run(study)
    assert len(drawn) < n + len(new) + n, "some by copies of this process"
    assert outputs(study) == kept, "as if they had never been kept"


def test_pictures_that_are_damaged_or_of_other_sources_are_drawn_again(
    tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = studies.complete(tmp_path, {"ridge": studies.RIDGE})
    studies.without_gradcheck(study)
    report.run(study)
    n, first = len(drawn), outputs(study)
    kept = study.store / "pictures.json"
    kept.write_text(kept.read_text(encoding="utf-8").replace("path d=", "path D="), encoding="utf-8")
    report.run(study)
    assert (len(drawn), outputs(study)) == (2 * n, first)
    kept.write_text(kept.read_text(encoding="utf-8").replace("path d=", "path D=").replace("sha256", "sha257"), "utf-8")
    report.run(study)
    assert (len(drawn), outputs(study)) == (3 * n, first), "a file without its seal knows nothing"
    monkeypatch.setattr("shoal.pipeline.report.document.album.package_hash", lambda: "edited")
    report.run(study)
    assert (len(drawn), outputs(study)) == (4 * n, first)
