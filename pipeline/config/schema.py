"""The form of params.yaml: frozen, closed, strict models; what each key allows is its field's description."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from shoal.pipeline.config.closed import Closed
from shoal.pipeline.config.data_block import DataConfig
from shoal.pipeline.config.faults import ConfigError, Fault, refusal
from shoal.pipeline.config.fields import LONGEST_LINE, Address, Choose, Line, Name, Seed, Share
from shoal.pipeline.config.sweep_block import Sweep
from shoal.pipeline.hyperparameters import CLASSES_LOSS


class Tracking(Closed):
    """What is shown in MLflow."""

    granularity: Literal["cell", "network"] = Field(description="cell, network")
    experiment: Name | None = Field(default=None, description="null, or a name of letters, digits, - and _")


class ReportConfig(Closed):
    """What the report says of the study as a whole; the assignment's words are in it where `parts` names any."""

    title: Line = Field(default="shoal: results", description=f"one line of up to {LONGEST_LINE} characters")
    parts: dict[Name, Line] = Field(
        default={}, description=f"a mapping of sweeps to text such as 2g or '3.1', of up to {LONGEST_LINE} characters"
    )


class Execution(Closed):
    """Where networks are trained, which decides how long that takes, and no result."""

    engine: Literal["local", "dask"] = Field(default="local", description="local, dask")
    address: Address | None = Field(
        default=None, description="HOST:PORT or tcp://HOST:PORT of a Dask scheduler; or local, for a cluster of its own"
    )

    @model_validator(mode="after")
    def _address_of_a_cluster(self) -> Execution:
        if self.engine == "dask" and self.address is None:
            raise refusal(f"an address beside engine dask: {type(self).model_fields['address'].description}")
        if self.engine == "local" and self.address is not None:
            raise refusal("no address for engine local; it is for dask")
        return self


class Config(Closed):
    """params.yaml as a whole."""

    seed: Seed = Field(description="a whole number from 0 to 4294967295")
    dtype: Literal["float64", "float32"] = Field(description="float64, float32")
    data: DataConfig = Field(description=f"a mapping with the keys {', '.join(DataConfig.model_fields)}")
    tracking: Tracking = Field(description=f"a mapping with the keys {', '.join(Tracking.model_fields)}")
    report: ReportConfig = Field(
        default=ReportConfig(), description=f"a mapping with the keys {', '.join(ReportConfig.model_fields)}"
    )
    choose: Choose = Field(default="network", description="network, cell, or {best: N}, N a whole number of 1 or more")
    interval: Share | None = Field(default=None, description="a number above 0, below 1")
    execution: Execution = Field(
        default=Execution(), description=f"a mapping with the keys {', '.join(Execution.model_fields)}"
    )
    sweeps: dict[Name, Sweep] = Field(description="at least one block of sweep keys under a name")

    def with_losses(self) -> Config:
        """The same with the loss of the task written out where a sweep says none."""
        if not self.data.is_classification:
            return self
        own = {"loss": {"all": (CLASSES_LOSS,)}}
        sweeps = {
            name: sweep if "loss" in sweep.model_fields_set else sweep.model_copy(update=own)
            for name, sweep in self.sweeps.items()
        }
        return self.model_copy(update={"sweeps": sweeps})

    def sweep(self, name: str) -> Sweep:
        """The block of a sweep; raises ConfigError for a name that there is not."""
        if name not in self.sweeps:
            raise ConfigError([Fault("", f"no sweep '{name}'", ", ".join(self.sweeps))])
        return self.sweeps[name]
