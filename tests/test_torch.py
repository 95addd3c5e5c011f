"""Every optimizer with every loss and every schedule, warmed up and not: a hundred steps end where PyTorch's end.

The engine trains all of the product in one call. So does PyTorch: the parameters of all networks are stacked, one
forward and one backward pass serve them all, and each optimizer with each schedule has its own slice of the stack;
whatever is done there is done number by number, so that networks of a stack leave each other alone.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from shoal.kernels import ensemble
from shoal.kernels.ensemble import NetworkSpec, Samples
from shoal.kernels.network.losses import LOSSES
from shoal.kernels.training.optimizers import OPTIMIZERS
from shoal.kernels.training.schedules import SCHEDULES
from tests import naive
from tests.naive import Array
from tests.problems import SEED, relative, tensors
from tests.test_losses import NETWORK, batches, hypers, problem, torch_loss
from tests.test_optimizers import NUMBERS, RATES, STEPS, Run, torch_optimizer, torch_schedule

N = 99
"""Divides into 11 and 3 batches of 9 and 33. Signs of so many errors, weighted 1 : 1 or 1 : 4 by absolute and quantile,
never add up to 0: if they did, adagrad would divide what is left by rounding by as little."""
WARMUPS = (0, 4)
LIMITS = dict.fromkeys(OPTIMIZERS, 1e-9) | {"gd": 1e-12}
"""Largest difference of a parameter, over the largest parameter."""


def targets(loss: str) -> Array:
    return problem(loss, N, is_weighted=False)[1]


def runs(batch_size: int | None) -> list[Run]:
    return [
        Run(optimizer, schedule, warmup, batch_size)
        for optimizer, schedule, warmup in product(OPTIMIZERS, SCHEDULES, WARMUPS)
    ]


def of_engine(every: list[Run]) -> list[Array]:
    """The parameters of each run with each loss."""
    x = problem("squared", N, is_weighted=False)[0]
    specs = [
        NetworkSpec(
            NETWORK, "assignment", 1, run.optimizer, RATES[run.optimizer], run.batch_size, STEPS,
            hypers=tuple(NUMBERS[run.schedule].items()), schedule=run.schedule, warmup=run.warmup,
            loss=loss, loss_hypers=hypers(loss),
        )
        for run, loss in product(every, LOSSES)
    ]  # fmt: skip
    datasets = [Samples(x, targets(loss)) for loss in LOSSES]
    of = [*range(len(LOSSES))] * len(every)
    return [trained.params for trained in ensemble.train_on(specs, datasets, of, seed=SEED)]


def of_torch(torch: Any, every: list[Run]) -> list[Array]:
    """The same by PyTorch; a slice of the stack is all W and all b of a run, a row for each loss."""
    start = tensors(naive.initial_weights(NETWORK, 3, SEED, 1))
    slices = [[stacked(torch, start[::2]), stacked(torch, start[1::2])] for _ in every]
    x, y = torch.tensor(problem("squared", N, is_weighted=False)[0]), [torch.tensor(targets(loss)) for loss in LOSSES]
    epochs = every[0].epochs(N)
    optimizers = [torch_optimizer(torch, run, own[:1], own[1:]) for run, own in zip(every, slices, strict=True)]
    schedules = [torch_schedule(torch, run, o, epochs[-1] + 1) for run, o in zip(every, optimizers, strict=True)]
    costs = [torch_loss(loss) for loss in LOSSES]
    for step, rows in enumerate(batches(N, every[0].batch_size, STEPS)):
        if step and epochs[step] > epochs[step - 1]:
            for schedule in schedules:
                schedule.step()
        a = x[rows].expand(len(slices) * len(LOSSES), -1, -1)
        for k, (W, b) in enumerate(layers(torch, slices, start)):
            a = torch.baddbmm(b.mT, torch.tanh(a) if k else a, W.mT)
        parts = (
            of(a[k :: len(LOSSES)].flatten(0, 1), y[k][rows].repeat(len(every), 1)).sum() / len(rows)
            for k, of in enumerate(costs)
        )
        for optimizer in optimizers:
            optimizer.zero_grad()
        sum(parts).backward()
        for optimizer in optimizers:
            optimizer.step()
    rows_of = [torch.cat([T.flatten(1) for pair in layers(torch, [own], start) for T in pair], 1) for own in slices]
    return [row.detach().numpy() for rows in rows_of for row in rows]


def stacked(torch: Any, tensors_of_one: list[Array]) -> Any:
    """A network's tensors as one row, and that once for each loss."""
    row = np.concatenate([tensor.ravel() for tensor in tensors_of_one])
    return torch.tensor(np.stack([row] * len(LOSSES)), requires_grad=True)


def layers(torch: Any, slices: list[list[Any]], like: list[Array]) -> list[tuple[Any, Any]]:
    """(W, b) layer by layer, W (networks, fan_out, fan_in) and b (networks, fan_out, 1)."""
    parts = []
    for rows, shapes in zip(zip(*slices, strict=True), (like[::2], like[1::2]), strict=True):
        pieces = torch.cat(rows).split([tensor.size for tensor in shapes], 1)
        parts.append([T.unflatten(1, (len(tensor), -1)) for T, tensor in zip(pieces, shapes, strict=True)])
    return list(zip(*parts, strict=True))


@pytest.mark.parametrize("batch_size", [9, 33])
def test_every_optimizer_loss_and_schedule_is_pytorchs(batch_size: int) -> None:
    """Networks in the lanes, and samples."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)  # what it does here is too small for more
    every = runs(batch_size)
    got, want = of_engine(every), of_torch(torch, every)
    for (run, loss), own, other in zip(product(every, LOSSES), got, want, strict=True):
        assert relative(own, other) <= LIMITS[run.optimizer], (run, loss)
