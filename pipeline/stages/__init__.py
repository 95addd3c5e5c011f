"""The stages of dvc.yaml, each a short file. Their imports take a second: the `dvc` above is watched from before."""

from shoal.pipeline import ancestors

ancestors.watch()
