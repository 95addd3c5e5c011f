"""What `shoal init` is told by its words and options: files, and keys of params.yaml, which is not there yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError, create_model

from shoal.pipeline.config import ConfigError, DataConfig, Fault
from shoal.pipeline.config.faults import faults_of, shown
from shoal.pipeline.data import splitting
from shoal.pipeline.data.dialect import Dialect
from shoal.pipeline.data.user_table import UserTable

ORDER = "--order"


def form(words: Mapping[str, str]) -> dict[str, Any]:
    """Values of the keys of params.yaml for these words; raises ConfigError for words that are none."""
    raw = {key: int(word) if word.isdecimal() else {r"\t": "\t"}.get(word, word) for key, word in words.items()}
    known = DataConfig.model_fields
    model = create_model("Form", **{key: (known[key].annotation, known[key]) for key in raw})  # type: ignore[call-overload]
    try:
        model.model_validate(raw)
    except ValidationError as error:
        faults = dict.fromkeys(faults_of(error, model, raw))
        raise ConfigError([_of_option(fault) for fault in faults]) from None
    return raw


def _of_option(fault: Fault) -> Fault:
    """The fault of a key's value as that of its option, which is there or not."""
    return Fault("", fault.found, fault.allowed.removeprefix("null, "), _option(fault.where))


def _option(key: str) -> str:
    """The option of `shoal init` for a key of the form of texts."""
    return f"--{key.replace('_', '-')}"


def named(text: str) -> str:
    """A way out in words of `shoal init`: there is no params.yaml yet."""
    keys = "|".join(key.name for key in fields(Dialect))
    return re.sub(rf"\bdata\.({keys})\b:?", lambda found: _option(found[1]), text).replace("data.splits.column", ORDER)


def files(source: str, test: str | None, validation: str | None) -> dict[str, str]:
    """The tables by their keys in params.yaml; raises ConfigError for words that do not go together."""
    if test is None and validation is None:
        return {"path": source}
    if test is None:
        allowed = "--test FILE beside it; without both, all rows are those of DATA"
        raise ConfigError([Fault("", shown(validation), allowed, "--validation")])
    found = {"train": source} | ({"validation": validation} if validation else {}) | {"test": test}
    names = [Path(file).name.lower() for file in found.values()]
    if twice := [file for file, name in zip(found.values(), names, strict=True) if names.count(name) > 1]:
        allowed = "files of different names, as the study has a copy of each in one folder"
        raise ConfigError([Fault("", f"the name of another table ({shown(Path(twice[-1]).name)})", allowed, twice[-1])])
    return found


def check_order(table: UserTable, targets: Sequence[str], order: str | None) -> None:
    """Raise ConfigError where rows cannot be put into the order of this column, if one is asked for."""
    if order in targets:
        raise ConfigError([Fault("", shown(order), "a column that is not among the targets", ORDER)])
    if order is not None and (faults := table.missing("", [order]) or splitting.in_order(table, order)[1]):
        raise ConfigError(replace(fault, file=fault.file if fault.where else ORDER) for fault in faults)
