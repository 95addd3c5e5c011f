"""From params.yaml to results, report and tracking; what runs as a program is `shoal` and the stages of dvc.yaml."""

import os
import signal
import sys

INTERRUPTED = "interrupted; the next run continues with what is missing"


def _leave(number: int, frame: object) -> None:
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(128 + number)


# A program, whose imports take a second or two; what is raised in some of them is lost. `errors.guarded` begins the work.
if sys.argv[:1] == ["-m"] or "".join(sys.argv[:1]).endswith("/shoal"):  # Python says -m until the module is found
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
