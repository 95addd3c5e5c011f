"""The cost of a tile, and its derivative: the mean over the samples of the sum over the outputs of a loss.

    C = (1/N) sum_n w_n sum_k c_nk         dC/dy_hat_nk = (1/N) w_n dc_n/dy_hat_nk

It is kept per output k; their sum is the number that is differentiated, optimised and recorded. The weights w_n, of
mean 1 over the training samples, stand in a row behind the targets; without them there is a kernel that knows none.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from shoal.kernels.compile.jit import inlined
from shoal.kernels.compile.linked import Doubles, Linked, Pointer, called_by_address, one_of
from shoal.kernels.network.losses import LOSSES, Loss
from shoal.kernels.simd.exp import exp_of_minus
from shoal.kernels.simd.formula import at_least, lifted, where_positive
from shoal.kernels.simd.lanes import GROUP, NETWORKS, SAMPLES, Lanes
from shoal.kernels.simd.log import log_of_1_plus
from shoal.kernels.simd.vector import keep_first, store, widened, zeros

if_below = lifted(lambda x, e: where_positive(x, e, -0.0), 2)
if_top = lifted(lambda x: where_positive(x, 0.0, 1.0), 1)
UNSCALED = np.ones(GROUP)
larger, exp, log_1_plus = lifted(at_least, 2), lifted(exp_of_minus, 1), lifted(log_of_1_plus, 1)


@called_by_address
def add_cost(
    y_hat: Pointer, ld: int, y: Pointer, y_ld: int, n_outputs: int, n_real: int, n: int, share: float, hypers: Doubles,
    costs: Doubles, per_output: int, dy: Pointer,
):  # fmt: skip
    """costs[k] (float64) += share sum w c and dy = share w dc/dy_hat, laid out as y_hat.

    `share` is 1 / N, `hypers` the loss' own numbers. Of the n elements of a row those from n_real on fill up the last
    vector and count nothing. `per_output` is 1, or 0 where the sum of the costs, costs[0], will do, as in a mini-batch,
    of which it only tells whether the network diverged.
    """


def _weighing(lanes: Lanes, is_weighted: bool) -> Any:
    """Two operations (value, weights, t): a vector of the dtype, and one of float64, times the weights at t."""
    load = lanes.load

    @inlined
    def leave(value, weights, t):
        return value

    @inlined
    def weigh(value, weights, t):
        return value * load(weights, t)

    @inlined
    def weigh_double(value, weights, t):
        return value * widened(load(weights, t))

    return (weigh, weigh_double) if is_weighted else (leave, leave)


def _of_residual(formula: Any, n_hypers: int) -> Any:
    """A formula of r and the loss' own numbers as an operation (r, hypers) of kernels."""
    operation = lifted(formula, 1 + n_hypers)

    @inlined
    def alone(r, hypers):
        return operation(r)

    @inlined
    def with_number(r, hypers):
        return operation(r, hypers[0])

    return with_number if n_hypers else alone


def _separate(lanes: Lanes, loss: Loss, is_weighted: bool) -> Any:
    """The kernel of a loss that is output by output a function of y_hat - y."""
    load, width, add_total, stride = lanes.load, lanes.width, lanes.add_gradient, lanes.stride
    weigh, weigh_double = _weighing(lanes, is_weighted)
    cost, slope = (_of_residual(formula, len(loss.hypers)) for formula in (loss.cost, loss.slope))

    def add_cost(
        y_hat: Pointer, ld: int, y: Pointer, y_ld: int, n_outputs: int, n_real: int, n: int, share: float,
        hypers: Doubles, costs: Doubles, per_output: int, dy: Pointer,
    ):  # fmt: skip
        weights = y + n_outputs * y_ld
        for k in range(n_outputs):
            sums = widened(zeros(load(y_hat, 0)))
            for t in range(0, n, width(y_hat)):
                r = keep_first(load(y_hat, k * ld + t) - load(y, k * y_ld + t), n_real - t)
                sums = sums + weigh_double(cost(widened(r), hypers), weights, t)
                store(dy, k * ld + t, weigh(slope(r, hypers), weights, t) * share)
            add_total(sums * share, costs, k * per_output * stride(), UNSCALED)

    return add_cost


def _joint(lanes: Lanes, loss: Loss, is_weighted: bool) -> Any:
    """The kernel of a loss of softmax(y_hat). dy keeps the exponentials on the way.

    Of their sum, those that are below 1 are added up apart from those that are 1: in float32 they would be lost, and
    with them the logarithm, where one p is nearly 1.
    """
    load, width, add_total, stride = lanes.load, lanes.width, lanes.add_gradient, lanes.stride
    weigh, _ = _weighing(lanes, is_weighted)
    cost, slope = lifted(loss.cost, 3), lifted(loss.slope, 2)

    def add_cost(
        y_hat: Pointer, ld: int, y: Pointer, y_ld: int, n_outputs: int, n_real: int, n: int, share: float,
        hypers: Doubles, costs: Doubles, per_output: int, dy: Pointer,
    ):  # fmt: skip
        weights = y + n_outputs * y_ld
        for t in range(0, n, width(y_hat)):
            top = load(y_hat, t)
            for k in range(1, n_outputs):
                top = larger(load(y_hat, k * ld + t), top)
            rest, others = zeros(top), zeros(top) - 1.0
            for k in range(n_outputs):
                x = top - load(y_hat, k * ld + t)
                e = exp(x)
                store(dy, k * ld + t, e)
                rest, others = rest + if_below(x, e), others + if_top(x)
            rest = rest + others  # the sum but for 1
            log_total, inverse, e, total = log_1_plus(rest), 1.0 / (rest + 1.0), load(dy, t), zeros(top)
            for k in range(n_outputs):
                at, target = k * ld + t, load(y, k * y_ld + t)
                cost_k = weigh(cost(target, top - load(y_hat, at), log_total), weights, t)
                cost_k = keep_first(cost_k * share, n_real - t)
                slopes = weigh(slope(target, e * inverse), weights, t) * share
                if per_output:
                    add_total(widened(cost_k), costs, k * stride(), UNSCALED)
                else:
                    total = total + cost_k
                e = load(dy, min(k + 1, n_outputs - 1) * ld + t)  # before the end of a short row runs over into it
                store(dy, at, keep_first(slopes, n_real - t))
            if not per_output:
                add_total(widened(total), costs, 0, UNSCALED)

    return add_cost


def _kernel(lanes: Lanes, loss: Loss, is_weighted: bool) -> Linked:
    of = _joint if loss.is_joint else _separate
    return one_of(add_cost, lanes.name, f"add_{'weighted_' * is_weighted}{loss.name}")(
        lambda: of(lanes, loss, is_weighted)
    )


COSTS = {
    (lanes.name, name, is_weighted): _kernel(lanes, loss, is_weighted)
    for lanes, (name, loss), is_weighted in product((SAMPLES, NETWORKS), LOSSES.items(), (False, True))
}
"""By meaning of the lanes, name of the loss, and whether samples have weights."""
