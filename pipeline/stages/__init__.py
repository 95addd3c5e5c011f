"""The stages of dvc.yaml, each a short file. Their imports take a second: the `dvc` above is watched from before, and
a process that has imported them already runs the stage where there is one."""

from shoal.pipeline import ancestors, standby

standby.hand_over()
ancestors.watch()
