"""JAX.

One jitted program for each shape: value_and_grad of the cost, vmap over the networks of a stack, lax.scan over the
steps. Feature-major values, W (fan_out, fan_in): XLA's products run up to twice as fast as sample-major where layers
are narrow. Stacks of 4 networks run as fast as taller ones; in mini-batches all networks of a shape are one stack and
the loop is unrolled by 4, as steps are short. Mini-batches are gathered within the step from orders given beforehand;
lax.cond computes the cost over all samples only where it is recorded. Nothing is donated: scan carries the parameters
in place, and the initial ones serve again. XLA takes as many threads as the process may use processors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.peers.common import BETA_1, BETA_2, EPSILON, Stack, stacks, trainer
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "JAX"
PACKAGE = "jax"
CONFIGURATIONS = ((2, 1), (1, 2))
SLOW = False
EXACT_ORDER = True
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda z: z, "sin": jnp.sin}
HEIGHT = 4
"""Networks of a full-batch stack, for 1,000 samples; as many more as there are fewer samples."""
UNROLL = 4
"""Mini-batch steps in one turn of the loop."""
jax.config.update("jax_enable_x64", True)

Layers = list[tuple[jax.Array, jax.Array]]


def supports(workload: Workload) -> bool:
    """All workloads."""
    return True


def cost_of(layers: Layers, x: jax.Array, y: jax.Array, activation: str, loss: str) -> jax.Array:
    """The cost of one network; x, y (features or outputs, n)."""
    a = x
    for i, (W, b) in enumerate(layers):
        a = W @ (ACTIVATIONS[activation](a) if i else a) + b[:, None]
    if loss == "cross_entropy":
        return -jnp.sum(y * jax.nn.log_softmax(a, axis=0)) / x.shape[1]
    return 0.5 * jnp.sum((a - y) ** 2) / x.shape[1]


def wide(rates: jax.Array, like: jax.Array) -> jax.Array:
    """A number for each network, against a tensor of all of them."""
    return rates.reshape(-1, *[1] * (like.ndim - 1))


def update(layers: Layers, grads: Layers, state: tuple | None, rates: jax.Array) -> tuple[Layers, tuple | None]:
    """p -= rate g, or Kingma and Ba's update, where there is a `state` (t, m, v)."""
    if state is None:
        return jax.tree.map(lambda p, g: p - wide(rates, p) * g, layers, grads), None
    t, m, v = state[0] + 1, *state[1:]
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, grads)
    c_1, c_2 = 1 / (1 - BETA_1**t), 1 / (1 - BETA_2**t)
    layers = jax.tree.map(
        lambda p, m, v: p - wide(rates, p) * (c_1 * m / (jnp.sqrt(v * c_2) + EPSILON)), layers, m, v
    )  # fmt: skip
    return layers, (t, m, v)


def start(layers: Layers, optimizer: str) -> tuple | None:
    """The state of the optimizer."""
    zeros = jax.tree.map(jnp.zeros_like, layers)
    return (jnp.zeros((), layers[0][0].dtype), zeros, zeros) if optimizer == "adam" else None


class Way(NamedTuple):
    """What a program is compiled for; `y_axis` is 0 where each network has targets of its own."""

    activation: str
    loss: str
    optimizer: str
    steps: int
    size: int | None
    y_axis: int | None


@partial(jax.jit, static_argnames="way")
def full_batch(layers: Layers, x: jax.Array, y: jax.Array, rates: jax.Array, way: Way) -> tuple[jax.Array, jax.Array]:
    """Costs before each step (steps, n_networks), and after the last one (n_networks,)."""
    cost_of_one = partial(cost_of, activation=way.activation, loss=way.loss)
    axes = (0, None, way.y_axis)
    costs_and_gradients = jax.vmap(jax.value_and_grad(cost_of_one), axes)

    def step(carry: tuple, _: None) -> tuple[tuple, jax.Array]:
        layers, state = carry
        costs, grads = costs_and_gradients(layers, x, y)
        return update(layers, grads, state, rates), costs

    (layers, _), costs = lax.scan(step, (layers, start(layers, way.optimizer)), length=way.steps)
    return costs, jax.vmap(cost_of_one, axes)(layers, x, y)


@partial(jax.jit, static_argnames="way")
def mini_batch(
    layers: Layers, x: jax.Array, y: jax.Array, rates: jax.Array, orders: jax.Array, recorded: jax.Array, way: Way
) -> tuple[jax.Array, jax.Array]:
    """As full_batch; orders (n_networks, n_epochs, n), `recorded` (n_steps,) a mask.

    Where mini-batches do not divide an epoch, it is a loop and a step behind it; else all epochs are one loop.
    """
    costs_of_all = jax.vmap(partial(cost_of, x=x, y=y, activation=way.activation, loss=way.loss))
    n_networks, n_epochs, n = orders.shape
    rest = n % way.size
    if not rest:
        orders, n_epochs = orders.reshape(n_networks, 1, -1), 1

    def cost_of_batch(layers: Layers, samples: jax.Array) -> jax.Array:
        return cost_of(layers, x[:, samples], y[:, samples], way.activation, way.loss)

    def step(carry: tuple, now: tuple[jax.Array, jax.Array]) -> tuple[tuple, jax.Array]:
        (layers, state), (samples, record) = carry, now
        costs = lax.cond(record, costs_of_all, lambda _: jnp.zeros(n_networks, x.dtype), layers)
        return update(layers, jax.vmap(jax.grad(cost_of_batch))(layers, samples), state, rates), costs

    def epoch(carry: tuple, now: tuple[jax.Array, jax.Array]) -> tuple[tuple, tuple]:
        order, record = now
        whole = order.shape[1] - rest
        batches = order[:, :whole].reshape(n_networks, -1, way.size).swapaxes(0, 1)
        carry, costs = lax.scan(step, carry, (batches, record[: len(batches)]), unroll=UNROLL)
        if not rest:
            return carry, (costs, None)
        carry, last = step(carry, (order[:, whole:], record[-1]))
        return carry, (costs, last)

    carry = layers, start(layers, way.optimizer)
    (layers, _), costs = lax.scan(epoch, carry, (orders.swapaxes(0, 1), recorded.reshape(n_epochs, -1)))
    return costs, costs_of_all(layers)


def training(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """The training of a stack."""
    x, y = (jnp.asarray(values.T, dtype) for values in workload.data)
    if workload.own_targets:
        y = jnp.asarray(np.stack([own.T for own in workload.targets(stack.specs)]), dtype)
    weights = jax.tree.map(jnp.asarray, stack.weights(workload, dtype))
    data = weights, x, y, jnp.asarray(stack.rates, dtype)
    recorded = jnp.asarray(np.isin(np.arange(workload.steps), workload.recorded))
    way = Way(
        stack.activation, workload.loss, stack.specs[0].optimizer, workload.steps, workload.batch_size,
        0 if workload.own_targets else None,
    )  # fmt: skip

    def train() -> np.ndarray:
        if workload.batch_size is None:
            costs = full_batch(*data, way)
        else:
            costs = mini_batch(*data, jnp.asarray(stack.orders(workload), jnp.int32), recorded, way)
        return np.asarray(costs[1], np.float64)

    return train


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    height = HEIGHT * 1000 // workload.n_samples if workload.batch_size is None else len(specs)
    parts = stacks(workload, specs, lambda sizes: height)
    return trainer(parts, [training(workload, stack, dtype) for stack in parts], 1)
