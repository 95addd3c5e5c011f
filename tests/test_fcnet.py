"""The benchmark on a published table, on made-up rows and with few of its configurations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import fcnet, fcnet_report
from bench.fcnet_networks import BATCH_SIZES, SEEDS, Configuration, configurations, some, splits, train

EPOCHS = 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    x = np.random.default_rng(0).normal(size=(200, 20))
    np.savetxt(tmp_path / "rows.csv", np.column_stack([x, 3 * x[:, 0] + 1]), delimiter=",")
    return tmp_path / "rows.csv"


def test_the_configurations_are_those_published_and_some_are_of_every_batch_size() -> None:
    assert len(configurations()) == len({str(one) for one in configurations()}) == 1728
    assert [one.batch_size for one in some(2)] == [size for size in BATCH_SIZES for _ in range(2)]
    assert some(2) == some(2)


def test_splits_are_apart_and_standardised_on_their_training_part(data: Path) -> None:
    first, second = splits(data, 2)
    assert (len(first.train.x), len(first.validation.x)) == (120, 40)
    np.testing.assert_allclose([first.train.x.mean(axis=0), first.train.x.std(axis=0) - 1], 0, atol=1e-12)
    assert not np.array_equal(np.sort(first.train.y[:, 0]), np.sort(second.train.y[:, 0]))


def test_few_networks_are_trained_and_drawn_and_described(data: Path, tmp_path: Path) -> None:
    wanted = [one for one in some(1) if one.batch_size >= 32]
    rows = [dict(zip(Configuration._fields, one, strict=True)) for one in configurations() for _ in range(SEEDS)]
    table = pd.DataFrame(rows).assign(val_mse=np.linspace(0.1, 0.9, len(rows)), train_seconds=36.0)
    table.to_parquet(tmp_path / "table.parquet")
    reached = fcnet.whole(data, tmp_path / "table.parquet", wanted, EPOCHS, tmp_path / "errors.png")
    assert reached["networks"] == 2 * SEEDS and reached["diverged"] == 0
    assert reached["recorded_hours"] == pytest.approx(2 * SEEDS / 100)
    errors = train(wanted, splits(data), EPOCHS).mean(axis=1)
    theirs = fcnet.published(tmp_path / "table.parquet").val_mse.loc[[tuple(one) for one in wanted]].to_numpy()
    assert reached["ratio"] == pytest.approx(np.median(np.abs(np.log10(errors / theirs))))
    assert (tmp_path / "errors.png").stat().st_size > 1000
    own = {"shoal_in_table": {"seconds": 1.0, "error": 0.5}, "shoal_alone": {"seconds": 2.0, "error": 0.5}}
    peers = {"torch_eager": {"seconds": 40.0, "error": 0.6}, "sklearn_mlp": None}
    page = fcnet_report.section(reached | {"rows": [{"name": "one", "published": 0.7} | own | peers]})
    assert "| one | 1 | 2 | 40 (40, 20) | - | 0.5 | 0.6 | - | 0.7 |" in page


def test_a_table_without_what_is_needed_is_named(data: Path, tmp_path: Path) -> None:
    pd.DataFrame({"val_mse": [1.0]}).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(SystemExit, match=r"lacks the columns activation_fn_1, .*; it has val_mse"):
        fcnet.published(tmp_path / "table.parquet")
    np.savetxt(data, np.ones((3, 4)), delimiter=",")
    with pytest.raises(SystemExit, match="has 4 columns; it needs 20 inputs and the target behind them"):
        splits(data)
