"""What the keys of a sweep ask of each other and of the data; a key with a fault of its own is left out of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from shoal.kernels.network.architecture import units_after
from shoal.kernels.network.laws import ASSIGNMENT_POSITIONS, ASSIGNMENT_SIZES, INITIALISERS, law_of
from shoal.pipeline.config.data_block import DataConfig
from shoal.pipeline.config.faults import Fault, below, cut, did_you_mean, meant, shown
from shoal.pipeline.config.fields import KINDS
from shoal.pipeline.config.sweep_block import Sweep
from shoal.pipeline.hyperparameters import KEYS, LOSSES, METHODS, OF_SCHEDULES, SCHEDULES, SHAPE, TRAINING, taking

Block = Mapping[str, Any]


def sweep_faults(where: str, block: Block, sweep: Sweep, data: DataConfig | None) -> Iterator[Fault]:
    """Faults between the keys of one block.

    `block` is the block as the file has it, `sweep` what is sound of it, `data` None where that section is not sound.
    """
    yield from _superfluous(where, block)
    yield from _missing(where, block)
    yield from _coverage(where, block, sweep)
    yield from _of_some_schedules(where, block, sweep)
    if _optimizer(block) in taking("loss"):
        faulty = block.keys() - sweep.model_fields_set
        reasons = {} if "loss" in faulty else dict(_about_losses(sweep))
        reasons |= {} if "keep" in faulty else dict(_about_stopping(sweep, "patience" in block))
        for key in reasons:
            if key in block and key not in faulty:
                yield Fault(below(where, key), shown(block[key]), reasons[key])
    if sweep.init == "assignment-stream":
        yield from _assignment_stream(where, block, sweep, data)
    if data and (n_features := known_features(data)):
        yield from branch_faults(where, sweep, n_features)


def name_faults(where: str, names: Collection[str]) -> Iterator[Fault]:
    """Names that differ in case alone, of which some file systems make one folder."""
    first: dict[str, str] = {}
    for name in names:
        same = first.setdefault(name.lower(), name)
        if same != name:
            yield Fault(
                below(where, name), f"a name like '{same}' but for capitals", "names that differ in more than that"
            )


def part_faults(parts: Collection[str], sweeps: Collection[str]) -> Iterator[Fault]:
    """Parts of the assignment that no sweep of these answers."""
    for name in parts:
        if name not in sweeps:
            names = f"the sweeps: {', '.join(sweeps)}"
            yield Fault(below("report.parts", name), "the name of no sweep", names + did_you_mean(name, sweeps))


def interval_faults(interval: Any, data: DataConfig) -> Iterator[Fault]:
    """An interval is of numbers, and asks for rows to calibrate it on, which only a table has."""
    if interval is not None and data.is_classification:
        allowed = "nothing, as data.task is classification, where probabilities stand beside predictions"
        yield Fault("interval", shown(interval), allowed)
    elif (
        interval is not None and not data.is_in_folds and (data.source == "function" or not data.fractions.calibration)
    ):
        allowed = "data.source: file and a share data.fractions.calibration (such as 0.1); or no interval"
        yield Fault("interval", f"{shown(interval)}, but no rows to calibrate it on", allowed)


def known_features(data: DataConfig) -> int | None:
    """Number of inputs, or None where only the table can tell: a column of text is several."""
    return 1 if data.source == "function" else None


def branch_faults(where: str, sweep: Sweep, n_features: int) -> Iterator[Fault]:
    """One fault for each architecture whose branches cannot be summed."""
    for name, architecture in (sweep.architecture or {}).items():
        try:
            units_after(architecture.layers, n_features)
        except ValueError as error:
            found = f"{shown(str(architecture))}, where {cut(str(error).partition(';')[0])}"
            allowed = "branches that end with equally many units, as they are summed"
            note = f"(those without a dense layer end with what goes in, at first as there are features, {n_features})"
            yield Fault(below(below(where, "architecture"), name), found, f"{allowed} {note}")


def _superfluous(where: str, block: Block) -> Iterator[Fault]:
    reasons: dict[str, str] = {}
    if "architecture" in block:
        reasons |= dict.fromkeys(("activation", *SHAPE), "nothing beside architecture")
    elif "hidden_sizes" in block:
        reasons |= dict.fromkeys(("depth", "width"), "nothing beside hidden_sizes")
    if "steps" in block:
        reasons["epochs"] = "nothing beside steps"
    if method := METHODS.get(optimizer := _optimizer(block)):
        reasons |= {key: _why_not(key, optimizer) for key in KEYS if key not in method.keys}
        if "schedule" in method.keys:
            reasons |= {key: why for key in OF_SCHEDULES if (why := _why_no_schedule_has(key, block))}
    init = block.get("init", "assignment")
    if init in INITIALISERS and not law_of(init).allows_biases:
        reasons["bias"] = f"nothing, as init is {init}"
    if init in INITIALISERS and "omega_0" not in law_of(init).numbers:
        reasons["omega_0"] = "nothing, unless init is siren"
    for key, reason in reasons.items():
        if key in block:
            yield Fault(below(where, key), shown(block[key]), reason)


def _optimizer(block: Block) -> str:
    """The method that a block asks for, whether or not there is such a method."""
    return str(block.get("optimizer", Sweep.model_fields["optimizer"].default))


def _schedules(block: Block) -> list[str]:
    """The schedules that a block asks for; empty where one of them is none."""
    given = block.get("schedule", TRAINING["schedule"].default)
    names = given if isinstance(given, list) else [given]
    return names if all(isinstance(name, str) and name in SCHEDULES for name in names) else []


def _why_no_schedule_has(key: str, block: Block) -> str:
    """Why a schedule's key may not be given; empty where it may."""
    asked = _schedules(block)
    if not asked or any(key in SCHEDULES[name].keys for name in asked):
        return ""
    return f"nothing, unless schedule is {' or '.join(name for name, row in SCHEDULES.items() if key in row.keys)}"


def _of_some_schedules(where: str, block: Block, sweep: Sweep) -> Iterator[Fault]:
    """What not every schedule of the block takes is no axis: the others would have their networks over and over."""
    for key in OF_SCHEDULES:
        have = [name for name in _schedules(block) if key in SCHEDULES[name].keys]
        several = max(map(len, sweep.by_activation(key).values()), default=0) > 1
        if have and several and len(have) < len(_schedules(block)):
            reason = f"one value instead of a list, as only {' and '.join(have)} of the schedules of the block takes it"
            yield Fault(below(where, key), shown(block[key]), reason)


def _why_not(key: str, optimizer: str) -> str:
    """Why a key may not be given that the method does not take."""
    methods = taking(key)
    if 2 * len(methods) > len(METHODS):
        return f"nothing, as optimizer is {optimizer}"
    return f"nothing, unless optimizer is {' or '.join(methods)}"


def _missing(where: str, block: Block) -> Iterator[Fault]:
    """Keys that the block needs and lacks, but for those that an unknown key seems to mean."""
    needed: list[str] = []
    if "architecture" not in block:
        needed += ["activation"] if "hidden_sizes" in block else ["activation", "depth", "width"]
    if method := METHODS.get(_optimizer(block)):
        unused = "steps" if "epochs" in block else "epochs"
        needed += [key for key in method.keys if TRAINING[key].default is None and key != unused]
        if "schedule" in method.keys:
            needed += dict.fromkeys(key for name in _schedules(block) for key in SCHEDULES[name].needs)
    misspelt = {meant(key, Sweep.model_fields) for key in block if key not in Sweep.model_fields}
    for key in needed:
        if key not in block and key not in misspelt:
            yield Fault(below(where, key), "nothing", f"{Sweep.model_fields[key].description}")


def _coverage(where: str, block: Block, sweep: Sweep) -> Iterator[Fault]:
    """A mapping by activation names the activations of the block, each of them and no other."""
    for key in (key for key in KEYS if KINDS[TRAINING[key].values].may_differ):
        given = block.get(key)
        if not isinstance(given, dict) or ("activation" in block and sweep.activation is None):
            continue
        place, activations = below(where, key), sweep.activation or ()
        if not activations:
            yield Fault(place, shown(given), "a value or a list, as the block has no activation")
            continue
        names = f"the activations of the block: {', '.join(activations)}"
        unknown = [name for name in given if name not in activations]
        for name in unknown:
            yield Fault(below(place, name), shown(name), names + did_you_mean(name, activations))
        for name in activations:
            if name not in given and not unknown:
                yield Fault(below(place, name), "nothing", f"{Sweep.model_fields[key].description}")


def _about_losses(sweep: Sweep) -> Iterator[tuple[str, str]]:
    """Keys that are numbers of losses which the sweep does not ask for, and several where it asks for other losses too;
    and what is allowed instead."""
    losses = sweep.levels("loss")
    for loss, key in ((loss, key) for loss, numbers in LOSSES.items() for key in numbers):
        if loss not in losses:
            yield key, f"nothing, unless loss is {loss}"
        elif len(losses) > 1 and key in sweep.listed:
            yield key, f"one value, as loss is not {loss} alone; or a sweep of its own for {loss}"


def _about_stopping(sweep: Sweep, stops: bool) -> Iterator[tuple[str, str]]:
    """Keys of early stopping without what they are about, and what is allowed instead; `stops` is with patience."""
    is_kept = "best" in sweep.levels("keep")
    if stops and "last" in sweep.levels("keep"):
        yield "keep", "best, as patience keeps the parameters of the lowest validation cost"
    if not stops:
        yield "min_delta", "nothing, unless patience is given"
    if not (stops or is_kept):
        yield "validate_every", "nothing, unless patience is given or keep is best"
    elif "full" not in sweep.levels("batch_size"):
        yield "validate_every", "nothing, unless batch_size is full: mini-batches are validated after every epoch"


def _assignment_stream(where: str, block: Block, sweep: Sweep, data: DataConfig | None) -> Iterator[Fault]:
    """The assignment's own stream holds 1-100-100-1 networks of three activations and the points of the function."""
    reason = "as init is assignment-stream"
    sizes = ASSIGNMENT_SIZES[1:-1]
    for key, only in (("depth", (len(sizes),)), ("width", sizes[:1]), ("hidden_sizes", (sizes,))):
        if getattr(sweep, key) not in (None, only):
            text = [list(sizes)] if key == "hidden_sizes" else only[0]
            yield Fault(below(where, key), shown(block[key]), f"{text}, {reason}")
    if not set(sweep.activation or ()) <= set(ASSIGNMENT_POSITIONS):
        allowed = f"{', '.join(ASSIGNMENT_POSITIONS)}, {reason}"
        yield Fault(below(where, "activation"), shown(block["activation"]), allowed)
    if "architecture" in block:
        yield Fault(below(where, "init"), shown(sweep.init), "assignment, as the block has an architecture")
    elif data and data.source == "file":
        yield Fault(below(where, "init"), shown(sweep.init), "assignment, as data.source is file")
