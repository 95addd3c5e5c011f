"""Where the process that stands by and the stages that ask it meet."""

from __future__ import annotations

import hashlib
import os
import socket
import struct
from pathlib import Path

import psutil

STAGES = "shoal.pipeline.stages."
_PEER = struct.Struct("3i")
"""What the system says of the other end of a socket: process, user, group."""


def address_for(dvc: int) -> str:
    """Where the process that stands by for this `dvc` in this folder listens."""
    names = f"{os.getuid()} {dvc} {psutil.Process(dvc).create_time()} {Path.cwd()}"
    return f"\0shoal {hashlib.sha256(names.encode()).hexdigest()[:32]}"


def is_own(other: socket.socket) -> bool:
    """Whether a process of the same user is at the other end."""
    _, user, _ = _PEER.unpack(other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return bool(user == os.getuid())
