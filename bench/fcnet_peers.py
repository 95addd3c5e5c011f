"""FCNet's networks by shoal, PyTorch eager and scikit-learn, configuration by configuration, on one thread.

Two processes of one thread each are at work at once, whoever is measured; each has every other configuration. Seconds
are the processor's, so that what else is at work counts little. What a process does first is not counted: it trains
each configuration for an epoch. The peers train seed 0 alone. They start from shoal's parameters, shuffle by themselves
and record no costs; shoal records about fifty over all samples.

Called as  python -m bench.fcnet_peers PEER DATA CPU EPOCHS INDICES  a process writes a line of JSON for each of the
configurations with these places in `configurations()`: seconds a network, and the mean validation error.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.compare import THREAD_VARIABLES
from bench.fcnet_networks import EPSILON, SEEDS, Configuration, Split, configurations, splits, train
from bench.fcnet_networks import ROOT_SEED as SEED
from shoal.kernels.ensemble import initial_params
from shoal.kernels.network.tape import layout_of

Peer = Callable[[Configuration, Sequence[Split], int], np.ndarray]
"""Trains the networks of a configuration for some epochs: their validation errors (n_networks,)."""


def shoal_in_table(one: Configuration, of: Sequence[Split], epochs: int) -> np.ndarray:
    """As in the whole table, where networks that differ in the initial rate fill the lanes: of all six rates."""
    return train(one.rates, of, epochs, n_threads=1).ravel()


def shoal_alone(one: Configuration, of: Sequence[Split], epochs: int) -> np.ndarray:
    """The networks of one configuration in a call: four of eight lanes."""
    return train([one], of, epochs, n_threads=1).ravel()


def start_of(one: Configuration, seed: int, split: Split) -> list[tuple[np.ndarray, np.ndarray]]:
    """(W, b) layer by layer, W (fan_out, fan_in), float32."""
    spec, (n, n_features, _) = one.spec(seed, len(split.train.x), 1), split.train.shape
    row = initial_params(spec, n_features, n, SEED).astype(np.float32)
    return list(layout_of(spec.architecture, n_features).weights(row))


def torch_eager(one: Configuration, of: Sequence[Split], epochs: int) -> np.ndarray:
    """nn.Sequential, autograd, torch.optim's fused Adam and its scheduler; an epoch's batches are gathered at once."""
    return np.array([_torch_error(one, 0, of[0], epochs)])


def _torch_error(one: Configuration, seed: int, split: Split, epochs: int) -> float:
    import torch
    from torch import nn

    torch.manual_seed(seed)
    arrays = split.train.x, split.train.y, split.validation.x, split.validation.y
    x, y, x_valid, y_valid = (torch.from_numpy(values.astype(np.float32)) for values in arrays)
    layers: list[nn.Module] = []
    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh}
    names = one.activation_fn_1, one.activation_fn_2, None
    for (W, b), name in zip(start_of(one, seed, split), names, strict=True):
        layers += [nn.Linear(W.shape[1], W.shape[0]), *([kinds[name]()] if name else [])]
        with torch.no_grad():
            layers[-2 if name else -1].weight.copy_(torch.from_numpy(W))
            layers[-2 if name else -1].bias.copy_(torch.from_numpy(b))
    model = nn.Sequential(*layers)
    optimizer = torch.optim.Adam(model.parameters(), one.init_lr, eps=EPSILON, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs) if one.lr_schedule == "cosine" else None
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for x_batch, y_batch in zip(x[order].split(one.batch_size), y[order].split(one.batch_size), strict=True):
            loss = nn.functional.mse_loss(model(x_batch), y_batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        if schedule:
            schedule.step()
    with torch.inference_mode():
        return nn.functional.mse_loss(model(x_valid), y_valid).item()


def sklearn_mlp(one: Configuration, of: Sequence[Split], epochs: int) -> np.ndarray:
    """MLPRegressor, which has one activation for all layers and no cosine."""
    return np.array([_sklearn_error(one, 0, of[0], epochs)])


def _sklearn_error(one: Configuration, seed: int, split: Split, epochs: int) -> float:
    import warnings

    from sklearn.exceptions import ConvergenceWarning

    from bench.peers.sklearn_mlp import Regressor

    model = Regressor(
        hidden_layer_sizes=(one.n_units_1, one.n_units_2), activation=one.activation_fn_1, solver="adam", alpha=0,
        tol=0, learning_rate_init=one.init_lr, epsilon=EPSILON, batch_size=one.batch_size, max_iter=epochs,
        n_iter_no_change=np.inf, random_state=seed,
    )  # fmt: skip
    x, y = split.train.x.astype(np.float32), split.train.y[:, 0].astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.start_from(start_of(one, seed, split)).fit(x, y)
    error = model.predict(split.validation.x.astype(np.float32)) - split.validation.y[:, 0]
    return float(np.mean(error**2))


PEERS: dict[str, Peer] = {
    "shoal_in_table": shoal_in_table,
    "shoal_alone": shoal_alone,
    "torch_eager": torch_eager,
    "sklearn_mlp": sklearn_mlp,
}


def can(peer: str, one: Configuration) -> bool:
    """Whether the peer has such networks."""
    return peer != "sklearn_mlp" or (one.activation_fn_1 == one.activation_fn_2 and one.lr_schedule == "const")


def measure(peer: str, data: Path, wanted: Sequence[Configuration], epochs: int) -> list[dict[str, Any] | None]:
    """Seconds a network and mean error of each configuration; None where the peer has none such."""
    everything = configurations()
    places = [everything.index(one) for one in wanted if can(peer, one)]
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, "1")
    processes = []
    for k, cpu in enumerate(sorted(os.sched_getaffinity(0))[:2]):
        mine = ",".join(map(str, places[k::2]))
        command = [sys.executable, "-m", "bench.fcnet_peers", peer, str(data), str(cpu), str(epochs), mine]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    lines: dict[int, dict[str, Any]] = {}
    for k, process in enumerate(processes):
        out, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"{peer} ended with {process.returncode}")
        lines |= zip(places[k::2], map(json.loads, out.splitlines()), strict=True)
    return [lines.get(everything.index(one)) for one in wanted]


def main() -> None:
    """One process."""
    peer, data, cpu, epochs, places = sys.argv[1:]
    os.sched_setaffinity(0, {int(cpu)})
    if peer == "torch_eager":
        import torch

        torch.set_num_threads(1)
    of, everything = splits(Path(data)), configurations()
    for one in (everything[int(place)] for place in places.split(",") if place):
        PEERS["shoal_alone" if peer == "shoal_in_table" else peer](one, of, 1)
        start = time.process_time()
        errors = PEERS[peer](one, of, int(epochs))
        seconds = (time.process_time() - start) / len(errors)
        if peer == "shoal_in_table":
            errors = errors.reshape(-1, SEEDS)[one.rates.index(one)]
        print(json.dumps({"seconds": seconds, "error": float(np.mean(errors))}), flush=True)


if __name__ == "__main__":
    main()
