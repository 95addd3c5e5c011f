"""PyTorch by hand.

Forward and backward pass written out, without autograd, feature-major (networks, units, samples), networks of one
shape in stacks. Every tensor is allocated once and written by `out=` or in place. baddbmm adds b while it multiplies,
and in gradient descent it subtracts the gradient from W within the product that computes it; the derivative of the
activation is one fused call (threshold_backward, tanh_backward). In mini-batches of Adam a stack has networks of all
learning rates. Threads are PyTorch's own within each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from bench.peers.common import BETA_1, BETA_2, EPSILON, Stack, stacks, trainer
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "PyTorch by hand"
PACKAGE = "torch"
CONFIGURATIONS = ((2, 1), (1, 2))
SLOW = False
EXACT_ORDER = True
STACK_BYTES = 400_000
"""Of one layer's values of a stack."""
Layers = list[tuple[torch.Tensor, torch.Tensor]]


def supports(workload: Workload) -> bool:
    """Workloads of one target."""
    return not workload.own_targets


class Pass:
    """Forward and backward pass of a stack over `n` samples; x, y (n_networks or 1, features or outputs, n)."""

    def __init__(self, stack: Stack, layers: Layers, n: int, dtype: torch.dtype) -> None:
        self.layers, self.activation, height = layers, stack.activation, len(stack.index)
        self.is_classes = stack.specs[0].loss == "cross_entropy"
        self.z = [torch.empty(height, size, n, dtype=dtype) for size in stack.sizes[1:]]
        self.delta = [torch.empty_like(z) for z in self.z]
        self.ones = torch.ones(height, n, 1, dtype=dtype)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """The values of all layers, and the errors."""
        self.a = [x.expand(len(self.ones), -1, -1), *self.z[:-1]]
        for (W, b), a, z in zip(self.layers, self.a, self.z, strict=True):
            torch.baddbmm(b, W, a, out=z)
            if z is not self.z[-1] and self.activation != "linear":
                z.relu_() if self.activation == "relu" else z.tanh_()
        y_hat = torch.softmax(self.z[-1], 1, out=self.delta[-1]) if self.is_classes else self.z[-1]
        torch.sub(y_hat, y, out=self.delta[-1])

    def cost(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """half_mse, or the cross-entropy, of each network, (n_networks,); leaves the errors to `backward`."""
        self.forward(x, y)
        if self.is_classes:
            return -(self.z[-1].log_softmax(1) * y).sum((1, 2)) / len(self.ones[0])
        return self.delta[-1].square().sum((1, 2)) * (0.5 / len(self.ones[0]))

    def backward(self, into: Layers, beta: float, alpha: float) -> None:
        """into = beta into + alpha gradient summed over samples; `into` may be the parameters themselves."""
        for i in range(len(into) - 1, -1, -1):
            delta, (W, b) = self.delta[i], into[i]
            if i:
                below = torch.bmm(self.layers[i][0].mT, delta, out=self.delta[i - 1])
                if self.activation == "relu":
                    torch.ops.aten.threshold_backward.grad_input(below, self.a[i], 0, grad_input=below)
                elif self.activation == "tanh":
                    torch.ops.aten.tanh_backward.grad_input(below, self.a[i], grad_input=below)
            W.baddbmm_(delta, self.a[i].mT, beta=beta, alpha=alpha)
            b.baddbmm_(delta, self.ones, beta=beta, alpha=alpha)


def flat_layers(weights: list) -> tuple[torch.Tensor, Layers]:
    """One flat tensor with the values of `weights`, and its views (W, b) with b (n_networks, fan_out, 1)."""
    tensors = [torch.from_numpy(tensor) for pair in weights for tensor in pair]
    flat = torch.cat([tensor.ravel() for tensor in tensors])
    parts = flat.split([tensor.numel() for tensor in tensors])
    views = [part.view(tensor.shape) for part, tensor in zip(parts, tensors, strict=True)]
    return flat, [(W, b[:, :, None]) for W, b in zip(views[::2], views[1::2], strict=True)]


class Adam:
    """Kingma and Ba's update, in place; `rates` is one number, or one for each of the parameters."""

    def __init__(self, params: torch.Tensor, rates: float | torch.Tensor) -> None:
        self.params, self.rates = params, rates
        self.m, self.v, self.scratch, self.move = (torch.zeros_like(params) for _ in range(4))

    def step(self, grads: torch.Tensor, t: int) -> None:
        """Update number `t`, from 1."""
        root = (1 - BETA_2**t) ** 0.5
        self.m.lerp_(grads, 1 - BETA_1)
        self.v.mul_(BETA_2).addcmul_(grads, grads, value=1 - BETA_2)
        torch.sqrt(self.v, out=self.scratch).add_(EPSILON * root)
        torch.mul(self.m, self.rates, out=self.move)
        self.params.addcdiv_(self.move, self.scratch, value=-root / (1 - BETA_1**t))


def rates_of(stack: Stack, layers: Layers, dtype: torch.dtype) -> torch.Tensor:
    """The learning rate of each parameter, in the order of `flat_layers`."""
    rates = torch.tensor(stack.rates, dtype=dtype)
    return torch.cat([rates.repeat_interleave(tensor[0].numel()) for pair in layers for tensor in pair])


def full_batch(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """Training of a stack on all samples."""
    x, y = (torch.from_numpy(np.ascontiguousarray(values.T[None], dtype)) for values in workload.data)
    weights, n = stack.weights(workload, dtype), workload.n_samples
    (initial, _), (params, layers), (grads, grad_layers) = (flat_layers(weights) for _ in range(3))
    batch, costs = Pass(stack, layers, n, params.dtype), torch.empty(workload.steps + 1, len(stack.index))

    @torch.inference_mode()
    def train() -> np.ndarray:
        params.copy_(initial)
        adam = Adam(params, stack.learning_rate) if stack.specs[0].optimizer == "adam" else None
        for step in range(workload.steps):
            costs[step] = batch.cost(x, y)
            if adam:
                batch.backward(grad_layers, 0, 1 / n)
                adam.step(grads, step + 1)
            else:
                batch.backward(layers, 1, -stack.learning_rate / n)
        return batch.cost(x, y).numpy()

    return train


def mini_batch(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """Training of a stack on mini-batches, which are gathered epoch by epoch."""
    x, y = (torch.from_numpy(np.ascontiguousarray(values.T, dtype)) for values in workload.data)
    weights = stack.weights(workload, dtype)
    (initial, _), (params, layers), (grads, grad_layers) = (flat_layers(weights) for _ in range(3))
    n, size, recorded = workload.n_samples, workload.batch_size, set(workload.recorded.tolist())
    everything, full, rest = (Pass(stack, layers, samples, params.dtype) for samples in (n, size, n % size))
    passes = [full] * (n // size) + [rest] * (n % size > 0)

    def batches(values: torch.Tensor, order: torch.Tensor) -> Sequence[torch.Tensor]:
        shuffled, whole = values[:, order], n - n % size
        parts = shuffled[:, :, :whole].unflatten(2, (-1, size)).permute(2, 1, 0, 3).contiguous().unbind()
        return [*parts, shuffled[:, :, whole:].swapaxes(0, 1)][: len(passes)]

    @torch.inference_mode()
    def train() -> np.ndarray:
        params.copy_(initial)
        use_adam, step = stack.specs[0].optimizer == "adam", 0
        adam = Adam(params, rates_of(stack, layers, params.dtype)) if use_adam else None
        costs = [everything.cost(x, y)]
        for order in torch.from_numpy(stack.orders(workload)).unbind(1):
            for batch, x_batch, y_batch in zip(passes, batches(x, order), batches(y, order), strict=True):
                batch.forward(x_batch, y_batch)
                step += 1
                if adam:
                    batch.backward(grad_layers, 0, 1 / len(batch.ones[0]))
                    adam.step(grads, step)
                else:
                    batch.backward(layers, 1, -stack.learning_rate / size)
                if step in recorded:
                    costs.append(everything.cost(x, y))
        return costs[-1].numpy()

    return train


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    torch.set_num_threads(n_threads)
    bytes_of_unit = (workload.batch_size or workload.n_samples) * np.dtype(dtype).itemsize
    parts = stacks(workload, specs, lambda sizes: STACK_BYTES // (max(sizes) * bytes_of_unit))
    write = full_batch if workload.batch_size is None else mini_batch
    return trainer(parts, [write(workload, stack, dtype) for stack in parts], 1)
