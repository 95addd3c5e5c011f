"""Stage `version`: which shoal is installed -> version/engine.txt and package.txt, where its sources are elsewhere.

They stand for the sources among what other stages depend on: no path of this machine is in dvc.lock.
"""

from __future__ import annotations

from shoal.pipeline import store
from shoal.pipeline.paths import Paths
from shoal.pipeline.provenance.hashes import engine_hash, package_hash
from shoal.pipeline.stages import _stage


def run(paths: Paths) -> None:
    """Write a hash each."""
    store.write_text(paths.engine, f"{engine_hash()}\n")
    store.write_text(paths.package, f"{package_hash()}\n")


if __name__ == "__main__":
    _stage.main("version", run)
