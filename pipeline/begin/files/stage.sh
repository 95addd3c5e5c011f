#!/bin/sh
# sh stage.sh NAME [SWEEP]: a stage of dvc.yaml, run by a Python that has shoal: that of the environment that is active,
# or else the one that `shoal init` ran with. Its path is in .python, which is this machine's own and stays behind.
for python in python python3 "$(cat .python 2>/dev/null)"; do
    if "$python" -c "import shoal" 2>/dev/null; then
        exec "$python" -m "shoal.pipeline.stages.$@"
    fi
done
echo "stage.sh: found no Python with shoal; allowed: an active environment that has it, or its Python's path in .python" >&2
exit 2
