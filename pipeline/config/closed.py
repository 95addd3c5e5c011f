"""What every block of params.yaml is: a model that is frozen, closed and strict."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Closed(BaseModel):
    """A model without room for unknown keys, converted values, infinity or change; built when it is first used, as
    some of them are no more than parts of others."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)
