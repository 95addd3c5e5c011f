"""PyTorch eager.

The program of PyTorch's tutorials, with what its performance guide advises on a CPU: nn.Sequential, autograd and
torch.optim, gradients set to None, the optimizer's fused implementation (one call for all parameters, faster here than
foreach), the mini-batches of an epoch gathered at once, and costs left in tensors until the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from bench.peers.common import BETA_1, BETA_2, EPSILON, Stack, stacks, trainer
from bench.workloads import Workload
from shoal.kernels.ensemble import NetworkSpec

TITLE = "PyTorch eager"
PACKAGE = "torch"
CONFIGURATIONS = ((2, 1), (1, 2))
SLOW = True
EXACT_ORDER = True
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "linear": nn.Identity}


def supports(workload: Workload) -> bool:
    """Workloads of one target."""
    return not workload.own_targets


def network(workload: Workload, stack: Stack, dtype: str) -> nn.Sequential:
    """The only network of a stack, as it starts."""
    layers: list[nn.Module] = []
    for W, b in stack.weights(workload, dtype):
        layers += [nn.Linear(W.shape[2], W.shape[1], dtype=getattr(torch, dtype)), ACTIVATIONS[stack.activation]()]
        with torch.no_grad():
            layers[-2].weight.copy_(torch.from_numpy(W[0]))
            layers[-2].bias.copy_(torch.from_numpy(b[0]))
    layers = [layer for layer in layers[:-1] if not isinstance(layer, nn.Identity)]
    return nn.Sequential(*layers)


def half_mse(y_hat: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(1/N) sum_n 1/2 sum_k (y_hat - y)^2."""
    return nn.functional.mse_loss(y_hat, y, reduction="sum") * (0.5 / len(y))


def training(workload: Workload, stack: Stack, dtype: str) -> Callable[[], np.ndarray]:
    """The training of one network."""
    x, y = (torch.from_numpy(values.astype(dtype)) for values in workload.data)
    size, recorded = workload.batch_size or len(x), set(workload.recorded.tolist())
    loss_of = half_mse
    if workload.loss == "cross_entropy":
        loss_of, y = nn.functional.cross_entropy, y.argmax(dim=1)

    def train() -> np.ndarray:
        model, costs, step = network(workload, stack, dtype), [], 0
        optimizer = optimizer_of(model, stack)
        orders = torch.from_numpy(stack.orders(workload)[0]) if workload.batch_size else [slice(None)] * workload.epochs
        for order in orders:
            for x_batch, y_batch in zip(x[order].split(size), y[order].split(size), strict=True):
                loss = loss_of(model(x_batch), y_batch)
                if step in recorded:
                    costs.append(loss.detach() if size == len(x) else cost(model))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                step += 1
        return cost(model).numpy()[None]

    @torch.inference_mode()
    def cost(model: nn.Module) -> torch.Tensor:
        return loss_of(model(x), y)

    return train


def optimizer_of(model: nn.Module, stack: Stack) -> torch.optim.Optimizer:
    """What `stack` is trained by."""
    if stack.specs[0].optimizer == "adam":
        betas = (BETA_1, BETA_2)
        return torch.optim.Adam(model.parameters(), stack.learning_rate, betas, EPSILON, fused=True)
    return torch.optim.SGD(model.parameters(), stack.learning_rate, fused=True)


def prepare(workload: Workload, specs: Sequence[NetworkSpec], dtype: str, n_threads: int) -> Callable[[], np.ndarray]:
    """See `bench.peers.load`."""
    torch.set_num_threads(n_threads)
    parts = stacks(workload, specs, lambda sizes: 1)
    return trainer(parts, [training(workload, stack, dtype) for stack in parts], 1)
