"""Who listens at the socket file of a role: the service that holds the role, or a process that replaced the file."""

import contextlib
import os
import socket
import struct
from pathlib import Path

from tickflag.common.runtime import Runtime

_PEERCRED = getattr(socket, "SO_PEERCRED", 17)  # of Linux
_PEER = struct.Struct("iII")  # process, user, group
_LOCKS = Path("/proc/locks")


def peer_process(connection: socket.socket) -> int:
    """The process at the other end; of a client's connection, the one that listens. Raises OSError where the system
    does not tell."""
    process: int = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, _PEERCRED, _PEER.size))[0]
    return process


def impostor(runtime: Runtime, role: str, endpoint: str) -> int:
    """The process that listens at the file of `endpoint` though it does not hold the role; 0 where there is none, or
    where the system does not tell. Never waits."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        client.connect(str(runtime.folder / endpoint))
        listening, holder = peer_process(client), _holder(runtime, role)
        return listening if holder and listening != holder else 0
    return 0


def _holder(runtime: Runtime, role: str) -> int:
    """The process that has the lock, as this process numbers it: in another container the number in the file is
    another. 0 where the system does not tell."""
    file = os.stat(runtime.lock_path(role))
    place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
    lines = (line.split() for line in _LOCKS.read_text().splitlines())
    return next((int(line[4]) for line in lines if line[1:2] == ["FLOCK"] and line[5:6] == [place]), 0)
