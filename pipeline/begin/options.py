"""What `shoal init` is told by options in the place of keys of params.yaml, which is not there yet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from pydantic import ValidationError, create_model

from shoal.pipeline.config import ConfigError, DataConfig, Fault
from shoal.pipeline.config.faults import faults_of
from shoal.pipeline.data.dialect import Dialect

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
