"""From params.yaml to results, report and tracking; what runs as a program is `shoal` and the stages of dvc.yaml."""

import sys

if sys.argv[:1] == ["-m"]:  # `python -m pipeline...`, whose module with all its imports comes next
    from pipeline.errors import guard_imports

    guard_imports()
