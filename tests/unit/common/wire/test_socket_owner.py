"""Who listens at the socket file of a role, and who holds the role."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes.folders import runtime_folder
from tickflag.common.runtime import Role, Runtime
from tickflag.common.wire import socket_owner
from tickflag.common.wire.requests import Client, Unreachable
from tickflag.common.wire.socket_owner import impostor

ENDPOINT = "collector-commands"
LISTEN = """
import socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    print("there", flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="SO_PEERCRED is of Linux")


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


def test_the_holder_is_no_impostor(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anybody where the system does not tell who holds the role, or where nobody listens."""
    with Role(runtime, "collector"), socket.socket(socket.AF_UNIX) as listener:
        assert impostor(runtime, "collector", ENDPOINT) == 0
        listener.bind(str(runtime.folder / ENDPOINT))
        listener.listen()
        assert impostor(runtime, "collector", ENDPOINT) == 0
        monkeypatch.setattr(socket_owner, "_LOCKS", Path("/dev/null"))
        assert impostor(runtime, "collector", ENDPOINT) == 0


def test_another_process_is_named(runtime: Runtime) -> None:
    """A client does not ask it."""
    command = [sys.executable, "-c", LISTEN, str(runtime.folder / ENDPOINT)]
    with (
        Role(runtime, "collector"),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
    ):
        assert other.stdout is not None
        assert other.stdout.readline() == "there\n"
        assert impostor(runtime, "collector", ENDPOINT) == other.pid
        with (
            Client(runtime, "collector") as client,
            pytest.raises(Unreachable, match=f"the process {other.pid} listens at .* in place of the collector"),
        ):
            client.ask("status")
