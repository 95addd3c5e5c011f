"""A process that stands by while `dvc` runs: it has imported what stages need, and a copy of it is each of them.

    dvc ── python -m shoal.pipeline.stages.data ──> starts the process that stands by, which begins to import
     │                                                      │
     └──── python -m shoal.pipeline.stages.NAME ── asks ──> copies itself (fork); the copy runs the stage, on the
           waits for the exit status               <──────  terminal, in the folder and with the variables of who asks

A stage imports for a second, more than many have to do, and `dvc` runs six of them. Who asks and finds nobody, or one
that began with other sources, runs the stage itself, as everywhere but on Linux. The process ends with its `dvc`. It
listens at an abstract socket, which no file stands for, to processes of its own user; what they send is text.
"""

from shoal.pipeline.standby.asking import hand_over

__all__ = ["hand_over"]
