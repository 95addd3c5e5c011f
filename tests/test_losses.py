"""Losses and sample weights: against the oracle, against central differences, and against PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from shoal.kernels import ensemble
from shoal.kernels.ensemble import NetworkSpec, Samples, Trained
from shoal.kernels.network.architecture import Architecture, Dense
from shoal.kernels.network.losses import LOSSES
from shoal.kernels.training import data as data_sets
from shoal.kernels.training import run
from tests import naive
from tests.fleet import bits
from tests.naive import Array, Cost
from tests.problems import SEED, flat, relative, tensors, worst

NUMBERS = {"huber": ("delta", 0.7), "quantile": ("quantile", 0.2)}
CHECKED = pytest.mark.parametrize(("loss", "is_weighted"), list(product(LOSSES, (False, True))))
NETWORK = Architecture.parse("dense 8 > tanh > dense 8 > tanh > dense 2")
STEP = 1e-5
"""Half the distance of a central difference."""


def hypers(loss: str) -> tuple[tuple[str, float], ...]:
    return (NUMBERS[loss],) if loss in NUMBERS else ()


def problem(loss: str, n: int, is_weighted: bool, n_outputs: int = 2) -> tuple[Array, Array, Array | None]:
    """x (n, 3), y (n, n_outputs), which are probabilities for cross-entropy, and weights (n,) or None."""
    generator = np.random.default_rng([11, n])
    x, y = generator.normal(size=(n, 3)), generator.normal(size=(n, n_outputs))
    if loss == "cross_entropy":
        y = np.exp(y) / np.exp(y).sum(axis=1, keepdims=True)
    return x, y, generator.gamma(1.0, size=n) if is_weighted else None


def cost_of(loss: str, weights: Array | None) -> Cost:
    return Cost(loss, NUMBERS.get(loss, ("", np.nan))[1], weights)


def spec(loss: str, **keys: Any) -> NetworkSpec:
    keys = {"architecture": NETWORK, "learning_rate": 0.02, "steps": 40, "loss_hypers": hypers(loss)} | keys
    return NetworkSpec(initialiser="assignment", replicate=1, loss=loss, **keys)


def train(one: NetworkSpec, x: Array, y: Array, weights: Array | None, dtype: str = "float64") -> Trained:
    return ensemble.train_on([one], [Samples(x, y, weights)], [0], seed=SEED, dtype=dtype)[0]


def test_the_table_has_every_loss_that_the_oracle_has() -> None:
    assert list(LOSSES) == ["squared", "absolute", "huber", "quantile", "cross_entropy"]


@CHECKED
@pytest.mark.parametrize("n", [1, 37, 130])
def test_cost_and_gradient_agree_with_the_oracle(n: int, loss: str, is_weighted: bool) -> None:
    x, y, weights = problem(loss, n, is_weighted)
    start = naive.initial_weights(NETWORK, 3, SEED, 0)
    want = naive.gradients(NETWORK, start, x, y, cost_of(loss, weights))
    got = ensemble.gradients(NETWORK, flat(start), x, y, weights=weights, loss=loss, loss_hypers=hypers(loss))
    assert relative(got.half_mse, naive.half_mse(NETWORK, start, x, y, cost_of(loss, weights))) <= 1e-13
    pairs = list(zip(got.W, got.b, strict=True))
    assert worst([*tensors(pairs), *got.a, got.x], [*tensors(want.weights), *want.a, want.x]) <= 1e-12


@CHECKED
def test_gradients_agree_with_central_differences(loss: str, is_weighted: bool) -> None:
    x, y, weights = problem(loss, 60, is_weighted, n_outputs=2)
    params = flat(naive.initial_weights(NETWORK, 3, SEED, 0))
    keys: dict[str, Any] = {"weights": weights, "loss": loss, "loss_hypers": hypers(loss)}
    got = ensemble.gradients(NETWORK, params, x, y, **keys)
    exact = np.concatenate([part.ravel() for pair in zip(got.W, got.b, strict=True) for part in pair])

    def cost(i: int, step: float) -> float:
        moved = params.copy()
        moved[i] += step
        return float(ensemble.gradients(NETWORK, moved, x, y, **keys).half_mse.sum())

    differences = np.array([(cost(i, STEP) - cost(i, -STEP)) / (2 * STEP) for i in range(len(params))])
    assert relative(exact, differences) <= 1e-6


@cache
def descent(loss: str, n: int, is_weighted: bool, batch_size: int | None) -> tuple[Array, Array]:
    """Parameters and costs of 25 steps of the oracle, on data that float32 holds exactly."""
    x, y, weights = of_single_precision(loss, n, is_weighted)
    start, cost = naive.initial_weights(NETWORK, 3, SEED, 1), cost_of(loss, weights)
    if batch_size is None:
        want, costs = naive.full_batch(NETWORK, start, x, y, naive.GradientDescent(0.02), 25, cost)
    else:
        key = naive.shuffle_key(SEED, 1)
        want, costs = naive.minibatch(NETWORK, start, x, y, naive.GradientDescent(0.02), 25, batch_size, key, cost)
    return flat(want), costs


def of_single_precision(loss: str, n: int, is_weighted: bool) -> tuple[Array, Array, Array | None]:
    x, y, weights = (None if v is None else v.astype(np.float32).astype(float) for v in problem(loss, n, is_weighted))
    assert x is not None and y is not None
    return x, y, weights


@CHECKED
@pytest.mark.parametrize(("n", "batch_size"), [(21, None), (150, None), (1100, None), (45, 1), (45, 7), (90, 40)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-11), ("float32", 2e-4)])
def test_training_agrees_with_the_oracle(
    dtype: str, tolerance: float, n: int, batch_size: int | None, loss: str, is_weighted: bool
) -> None:
    """Samples in the lanes and networks, one chunk of samples and several, batches that leave a rest."""
    params, costs = descent(loss, n, is_weighted, batch_size)
    one = spec(loss, batch_size=batch_size, steps=25)
    got = train(one, *of_single_precision(loss, n, is_weighted), dtype)
    assert relative(got.costs, costs) <= tolerance
    assert relative(got.params, params) <= tolerance


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [None, 7, 40])
def test_weights_all_equal_are_no_weights_and_their_scale_is_of_no_matter(loss: str, batch_size: int | None) -> None:
    x, y, _ = problem(loss, 64, is_weighted=False)
    weights = np.random.default_rng(4).gamma(1.0, size=64)
    one = spec(loss, batch_size=batch_size)
    assert relative(train(one, x, y, np.full(64, 3.0)).params, train(one, x, y, None).params) <= 1e-13
    assert bits(train(one, x, y, 8.0 * weights)) == bits(train(one, x, y, weights))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_sample_of_weight_2_counts_twice_and_one_of_weight_0_not(loss: str) -> None:
    x, y, _ = problem(loss, 60, is_weighted=False)
    counts = np.arange(60) % 3
    rows = np.repeat(np.arange(60), counts)
    got, want = train(spec(loss), x, y, counts), train(spec(loss), x[rows], y[rows], None)
    assert relative(got.params, want.params) <= 1e-12
    assert relative(got.costs, want.costs) <= 1e-12


def test_a_ridge_readout_is_weighted_too() -> None:
    x, y, weights = problem("squared", 90, is_weighted=True)
    start = naive.initial_weights(NETWORK, 3, SEED, 1)
    want = naive.ridge(NETWORK, start, x, y, 0.3, Cost(weights=weights))
    one = NetworkSpec(NETWORK, "assignment", 1, optimizer="ridge", alpha=0.3)
    assert relative(train(one, x, y, weights).params, flat(want)) <= 1e-10
    assert relative(train(one, x, y, None).params, flat(want)) > 1e-3


def test_weighted_networks_and_others_leave_each_other_alone() -> None:
    """All losses, with weights and without, in one call and alone."""
    datasets = [Samples(*problem(loss, 50, is_weighted)) for loss, is_weighted in product(LOSSES, (False, True))]
    specs = [spec(loss, batch_size=7) for loss in LOSSES for _ in range(2)]
    together = ensemble.train_on(specs, datasets, range(len(specs)), seed=SEED)
    alone = [ensemble.train_on([specs[i]], [datasets[i]], [0], seed=SEED)[0] for i in range(len(specs))]
    assert [bits(one) for one in together] == [bits(one) for one in alone]


@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-12), ("float32", 2.0**-23)])
def test_cross_entropy_of_large_logits_neither_overflows_nor_loses_a_small_cost(dtype: str, rounding: float) -> None:
    """A network that hands its input on: logits up to 1e4, and classes that are certain. exp(30) is 1e13, which in
    float32 costs the cost no more than a rounding or two."""
    logits = np.array([[1e4, 0.0, -1e4], [-1e4, -1e4, 0.0], [30.0, 0.0, 0.0], [0.0, 0.0, 0.0], [3e38, 0.0, 1.0]])
    y = ensemble.one_hot(np.array([0, 0, 0, 2, 0]), 3)
    params = np.concatenate([np.eye(3).ravel(), np.zeros(3)]).astype(dtype)
    for row, target, cost in zip(logits, y, (0.0, 1e4, 2 * np.exp(-30), np.log(3), 0.0), strict=True):
        got = ensemble.gradients(
            Architecture.parse("dense 3"), params, row[None], target[None], loss="cross_entropy"
        )  # fmt: skip
        assert got.half_mse.sum() == pytest.approx(cost, rel=rounding, abs=1e-15)
        np.testing.assert_allclose(np.concatenate(got.b), naive.softmax(row[None])[0] - target, atol=1e-7)


@pytest.mark.parametrize("n_classes", [1, 2, 3, 17, 1000])
def test_probabilities_of_any_number_of_classes_add_up_to_1(n_classes: int) -> None:
    """So that the derivatives by the logits add up to 0."""
    z = np.random.default_rng(n_classes).normal(0.0, 5.0, (20, 1))
    y = ensemble.one_hot(np.arange(20) % n_classes, n_classes)
    params = np.random.default_rng(1).normal(size=2 * n_classes)
    got = ensemble.gradients(Architecture((Dense(n_classes),)), params, z, y, loss="cross_entropy")
    want = naive.loss("cross_entropy", z @ params[None, :n_classes] + params[n_classes:], y, np.nan).mean(axis=0)
    assert abs(got.b[0].sum()) <= 1e-14
    np.testing.assert_allclose(got.half_mse, want, rtol=1e-12)
    np.testing.assert_allclose(LOSSES["cross_entropy"].link(z * params[None, :n_classes]).sum(axis=1), 1.0)


@pytest.mark.parametrize("loss", ["absolute", "quantile"])
def test_the_slope_at_the_kink_is_0(loss: str) -> None:
    x = np.ones((4, 1))
    got = ensemble.gradients(
        Architecture.parse("dense 1"), np.array([1.0, 0.5]), x, np.full((4, 1), 1.5), loss=loss
    )  # fmt: skip
    assert got.half_mse == 0
    assert got.W[0] == got.b[0] == 0


@CHECKED
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("batch_size", [None, 1, 40])
def test_a_bad_number_past_the_door_diverges_at_step_0(
    batch_size: int | None, bad: float, loss: str, is_weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_sets, "check_finite", lambda name, values: None)
    x, y, weights = problem(loss, 70, is_weighted)
    x[66, 1] = bad
    one = spec(loss, architecture=Architecture.parse("dense 2"), batch_size=batch_size)
    assert train(one, x, y, weights).diverged_step == 0


def test_no_kernel_is_loaded_that_no_network_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: set[str] = set()
    load_all = run.load_all
    monkeypatch.setattr(
        run, "load_all", lambda wanted: (loaded.update(kernel.name for kernel, _ in wanted), load_all(wanted))
    )
    x, y, weights = problem("huber", 50, is_weighted=True)
    train(spec("huber", batch_size=7), x, y, weights)
    assert {name for name in loaded if ".add_" in name} == {"networks.add_gradients", "networks.add_weighted_huber"}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"loss": "mse"}, "unknown loss 'mse'; allowed: squared, absolute, huber, quantile, cross_entropy"),
        ({"loss": "huber", "loss_hypers": (("q", 0.1),)}, "loss huber has no q; allowed: delta"),
        ({"loss": "squared", "loss_hypers": (("q", 0.1),)}, "loss squared has no q; allowed: no numbers"),
        ({"loss": "huber", "loss_hypers": (("delta", 0.0),)}, "delta 0.0 of loss huber is not between 0 and inf"),
        ({"loss": "huber", "loss_hypers": (("delta", np.nan),)}, "delta nan of loss huber is not between 0 and inf"),
        (
            {"loss": "quantile", "loss_hypers": (("quantile", 1.0),)},
            "quantile 1.0 of loss quantile is not between 0 and 1",
        ),
        ({"loss": "absolute", "optimizer": "ridge", "alpha": 1.0}, "ridge has no loss 'absolute'; allowed: squared"),
        ({"loss": "cross_entropy"}, r"y has \[.*\] in row 0 .counted from 0.; loss cross_entropy needs probabilities"),
    ],
)
def test_a_loss_that_cannot_be_taken_is_an_error(keys: dict[str, Any], message: str) -> None:
    x, y, _ = problem("squared", 9, is_weighted=False)
    with pytest.raises(ValueError, match=message):
        train(replace(spec("squared"), **keys), x, y, None)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(8), r"weights has shape \(8,\) and dtype float64; it needs \(9,\) numbers"),
        (np.ones((9, 1)), r"weights has shape \(9, 1\)"),
        (np.array(["1"] * 9), r"dtype <U1; it needs \(9,\) numbers"),
        (np.array([1.0] * 8 + [-1.0]), "weights has numbers from -1.0 to 1.0; none may be below 0, or all 0"),
        (np.zeros(9), "weights has numbers from 0.0 to 0.0; none may be below 0, or all 0"),
        (np.array([1.0] * 8 + [np.nan]), "weights has nan in row 8"),
    ],
)
def test_weights_that_are_none_are_an_error(weights: Array, message: str) -> None:
    x, y, _ = problem("squared", 9, is_weighted=False)
    with pytest.raises(ValueError, match=message):
        train(spec("squared"), x, y, weights)


def test_classes_become_probabilities() -> None:
    assert ensemble.one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    for bad, found in (([3], "classes has 3"), ([-1], "classes has -1"), ([0.5], "dtype float64"), ([[1]], "shape")):
        with pytest.raises(ValueError, match=found):
            ensemble.one_hot(np.array(bad), 3)


# --- against PyTorch ------------------------------------------------------------------------------------------------


def torch_loss(loss: str) -> Any:
    """The mean over the samples of the sum over the outputs, of outputs and targets; quantile from its formula."""
    torch = pytest.importorskip("torch")
    functional, name = torch.nn.functional, NUMBERS.get(loss, ("", 0.0))[1]
    if loss == "squared":
        return lambda y_hat, y: functional.mse_loss(y_hat, y, reduction="none") / 2
    if loss == "absolute":
        return lambda y_hat, y: functional.l1_loss(y_hat, y, reduction="none")
    if loss == "huber":
        return lambda y_hat, y: functional.huber_loss(y_hat, y, reduction="none", delta=name)
    if loss == "quantile":
        return lambda y_hat, y: torch.maximum(name * (y - y_hat), (name - 1) * (y - y_hat))
    return lambda y_hat, y: functional.cross_entropy(y_hat, y, reduction="none")


@CHECKED
@pytest.mark.parametrize(("optimizer", "tolerance"), [("gd", 1e-12), ("adam", 1e-9)])
@pytest.mark.parametrize("batch_size", [None, 10])
def test_a_hundred_steps_are_pytorchs(
    batch_size: int | None, optimizer: str, tolerance: float, loss: str, is_weighted: bool
) -> None:
    """From equal parameters, on equal batches of a 3-8-8-2 network."""
    torch = pytest.importorskip("torch")
    x, y, weights = problem(loss, 60, is_weighted)
    w = np.ones(60) if weights is None else weights / weights.mean()
    start = tensors(naive.initial_weights(NETWORK, 3, SEED, 1))
    parameters = [torch.tensor(tensor, dtype=torch.float64, requires_grad=True) for tensor in start]
    descent = {"gd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer](parameters, lr=0.02)
    of, linear = torch_loss(loss), torch.nn.functional.linear
    for rows in batches(60, batch_size, 100):
        h = torch.tanh(linear(torch.tensor(x[rows]), *parameters[:2]))
        y_hat = linear(torch.tanh(linear(h, *parameters[2:4])), *parameters[4:])
        costs = of(y_hat, torch.tensor(y[rows]))
        cost = (torch.tensor(w[rows]) * costs.reshape(len(rows), -1).sum(dim=1)).mean()
        descent.zero_grad()
        cost.backward()
        descent.step()
    want = np.concatenate([parameter.detach().numpy().ravel() for parameter in parameters])
    got = train(spec(loss, optimizer=optimizer, steps=100, batch_size=batch_size), x, y, weights)
    assert np.abs(got.params - want).max() <= tolerance * np.abs(want).max()


def batches(n: int, batch_size: int | None, steps: int) -> Iterator[list[int]]:
    """The samples of each step."""
    per_epoch = -(-n // (batch_size or n))
    for step in range(steps):
        epoch, batch = divmod(step, per_epoch)
        order = naive.shuffled(naive.shuffle_key(SEED, 1), epoch, n) if batch_size else list(range(n))
        yield order[batch * (batch_size or n) :][: batch_size or n]
