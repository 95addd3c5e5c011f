"""Every path of a project, below its root folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

OWN = (
    "params.yaml", "dvc.yaml", "dvc.lock", ".dvc", ".git", "shoal", "kernels", "pipeline",
    "data", "gradcheck", "results", "evaluation", "metrics", "predictions", "report", "docs", "tracking", "logs",
    "mlflow.db", "mlartifacts", "version", "stage.sh", ".python", ".shoal",
)  # fmt: skip


@dataclass(frozen=True)
class Paths:
    """Where things lie below `root`, the folder that holds params.yaml."""

    root: Path = Path()

    def below_root(self, path: Path) -> str:
        """A path below the root as receipts and messages write it; one that is elsewhere as it is."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    @property
    def params(self) -> Path:
        return self.root / "params.yaml"

    @property
    def stages(self) -> Path:
        return self.root / "dvc.yaml"

    @property
    def own(self) -> list[Path]:
        """Files and folders that the study reads and writes: not a place for what a user asks a command to write."""
        return [self.root / name for name in OWN]

    @property
    def engine(self) -> Path:
        """Which engine is installed, in a study apart from shoal's own sources."""
        return self.version("engine")

    @property
    def package(self) -> Path:
        return self.version("package")

    def version(self, name: str) -> Path:
        """What a stage of this name depends on beside files, as hashes."""
        return self.root / "version" / f"{name}.txt"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def data_receipt(self) -> Path:
        return self.data / "receipt.json"

    @property
    def study(self) -> Path:
        """What params.yaml need not say, as the data stage found it: DVC refuses a stage that lists a missing key."""
        return self.data / "study.json"

    @property
    def gradcheck(self) -> Path:
        return self.root / "gradcheck" / "gradcheck.parquet"

    @property
    def gradcheck_receipt(self) -> Path:
        return self.root / "gradcheck" / "receipt.json"

    @property
    def results(self) -> Path:
        return self.root / "results"

    def runs(self, sweep: str) -> Path:
        return self.results / sweep / "runs.parquet"

    def curves(self, sweep: str) -> Path:
        return self.results / sweep / "curves.parquet"

    def weights(self, sweep: str) -> Path:
        return self.results / sweep / "weights.parquet"

    def sweep_receipt(self, sweep: str) -> Path:
        return self.results / sweep / "receipt.json"

    @property
    def store(self) -> Path:
        """Networks that are trained already, where the environment names no other place (store/entries)."""
        return self.root / ".shoal"

    @property
    def networks(self) -> Path:
        return self.root / "evaluation" / "networks.parquet"

    @property
    def cells(self) -> Path:
        return self.root / "evaluation" / "cells.parquet"

    @property
    def contrasts(self) -> Path:
        return self.root / "evaluation" / "contrasts.parquet"

    @property
    def baselines(self) -> Path:
        return self.root / "evaluation" / "baselines.parquet"

    @property
    def evaluation_receipt(self) -> Path:
        return self.root / "metrics" / ".receipt.json"  # where git keeps it, as it does the metrics that it names

    def metrics(self, sweep: str) -> Path:
        return self.root / "metrics" / f"{sweep}.json"

    @property
    def test_predictions(self) -> Path:
        return self.root / "predictions" / "test_predictions.csv"

    @property
    def chosen(self) -> Path:
        return self.root / "predictions" / "chosen.json"

    @property
    def all_cells(self) -> Path:
        return self.root / "predictions" / "all_cells.parquet"

    @property
    def predictions_receipt(self) -> Path:
        return self.root / "predictions" / "receipt.json"

    @property
    def receipt(self) -> Path:
        return self.root / "tracking" / "receipt.json"

    @property
    def report(self) -> Path:
        return self.root / "report" / "report.html"

    @property
    def report_pdf(self) -> Path:
        return self.root / "report" / "report.pdf"

    @property
    def report_receipt(self) -> Path:
        return self.root / "report" / "receipt.json"

    @property
    def figures(self) -> Path:
        return self.root / "report" / "figures"

    @property
    def docs(self) -> Path:
        return self.root / "docs"

    @property
    def mlflow_database(self) -> Path:
        return self.root / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        return self.root / "mlartifacts"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def lock(self, stage: str) -> Path:
        return self.logs / f"stage-{stage}.lock"

    def log(self, stage: str) -> Path:
        return self.logs / f"{stage}.json"
