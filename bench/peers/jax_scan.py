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

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.peers.common import BETA_1, BETA_2, EPSILON, Stack, batches_divide, stacks, trainer
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "JAX"
PACKAGE = "jax"
CONFIGURATIONS = ((2, 1), (1, 2))
SLOW = False
EXACT_ORDER = True
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "linear": lambda z: z}
HEIGHT = 4
"""Networks of a full-batch stack."""
UNROLL = 4
"""Mini-batch steps in one turn of the loop."""
supports = batches_divide
jax.config.update("jax_enable_x64", True)

Layers = list[tuple[jax.Array, jax.Array]]


def half_mse(layers: Layers, x: jax.Array, y: jax.Array, activation: str) -> jax.Array:
    """The cost of one network; x, y (features or outputs, n)."""
    a = x
    for i, (W, b) in enumerate(layers):
        a = W @ (ACTIVATIONS[activation](a) if i else a) + b[:, None]
    return 0.5 * jnp.sum((a - y) ** 2) / x.shape[1]


def descend(layers: Layers, grads: Layers, rate: jax.Array) -> Layers:
    """p -= rate grad."""
    return jax.tree.map(lambda p, g: p - rate * g, layers, grads)


def adam(layers: Layers, grads: Layers, state: tuple, rate: jax.Array) -> tuple[Layers, tuple]:
    """Kingma and Ba's update; `state` is (t, m, v)."""
    t, m, v = state[0] + 1, *state[1:]
    m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, grads)
    v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, grads)
    c_1, c_2 = 1 / (1 - BETA_1**t), 1 / (1 - BETA_2**t)
    layers = jax.tree.map(lambda p, m, v: p - rate * c_1 * m / (jnp.sqrt(v * c_2) + EPSILON), layers, m, v)
    return layers, (t, m, v)


@partial(jax.jit, static_argnames=("activation", "steps", "optimizer"))
def full_batch(
    layers: Layers, x: jax.Array, y: jax.Array, rate: jax.Array, activation: str, steps: int, optimizer: str
) -> tuple[jax.Array, jax.Array]:
    """Costs before each step (steps, n_networks), and after the last one (n_networks,)."""
    cost_of_one = partial(half_mse, x=x, y=y, activation=activation)
    costs_and_gradients = jax.vmap(jax.value_and_grad(cost_of_one))

    def step(carry: tuple, _: None) -> tuple[tuple, jax.Array]:
        layers, state = carry
        costs, grads = costs_and_gradients(layers)
        if optimizer == "adam":
            return adam(layers, grads, state, rate), costs
        return (descend(layers, grads, rate), state), costs

    zeros = jax.tree.map(jnp.zeros_like, layers) if optimizer == "adam" else None
    (layers, _), costs = lax.scan(step, (layers, (jnp.zeros((), x.dtype), zeros, zeros)), length=steps)
    return costs, jax.vmap(cost_of_one)(layers)


@partial(jax.jit, static_argnames=("activation", "size"))
def mini_batch(
    layers: Layers,
    x: jax.Array,
    y: jax.Array,
    rate: jax.Array,
    orders: jax.Array,
    recorded: jax.Array,
    activation: str,
    size: int,
) -> tuple[jax.Array, jax.Array]:
    """As full_batch, with costs where the mask `recorded` (steps,) is set; orders (n_networks, n_epochs, n)."""
    costs_of_all = jax.vmap(partial(half_mse, x=x, y=y, activation=activation))

    def cost_of_batch(layers: Layers, samples: jax.Array) -> jax.Array:
        return half_mse(layers, x[:, samples], y[:, samples], activation)

    def step(layers: Layers, now: tuple[jax.Array, jax.Array]) -> tuple[Layers, jax.Array]:
        samples, record = now
        costs = lax.cond(record, costs_of_all, lambda _: jnp.zeros(len(orders), x.dtype), layers)
        return descend(layers, jax.vmap(jax.grad(cost_of_batch))(layers, samples), rate), costs

    batches = orders.reshape(len(orders), -1, size).swapaxes(0, 1)
    layers, costs = lax.scan(step, layers, (batches, recorded), unroll=UNROLL)
    return costs, costs_of_all(layers)


def training(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """The training of a stack."""
    x, y = (jnp.asarray(values.T, dtype) for values in workload.data)
    data = jax.tree.map(jnp.asarray, stack.weights(workload, dtype)), x, y, jnp.asarray(stack.learning_rate, dtype)
    recorded = jnp.asarray(np.isin(np.arange(workload.steps), workload.recorded))

    def train() -> np.ndarray:
        if workload.batch_size is None:
            costs = full_batch(*data, stack.activation, workload.steps, stack.specs[0].optimizer)
        else:
            orders = jnp.asarray(stack.orders(workload), jnp.int32)
            costs = mini_batch(*data, orders, recorded, stack.activation, workload.batch_size)
        return np.asarray(costs[1], np.float64)

    return train


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    parts = stacks(workload, specs, lambda sizes: HEIGHT if workload.batch_size is None else len(specs))
    return trainer(parts, [training(workload, stack, dtype) for stack in parts], 1)
