"""`tickflag stop`: ends the engine of this machine, however it was started."""

import os
import signal
import sys
import time

import click

from tickflag.common.errors import TickflagError
from tickflag.common.lifecycle import KILL_AFTER_S
from tickflag.common.runtime import Role, Runtime
from tickflag.services.cli.connection import local_settings
from tickflag.services.cli.engine.stale_files import remove_stale
from tickflag.services.cli.engine.start import BESIDE, SERVICES, STARTER

GIVE_UP_AFTER_S = 5.0
STARTER_ALONE_S = 1.0  # after so long its services are asked as well: it may hang
_LOOK_S = 0.02


@click.command()
def stop() -> None:
    """End the engine, and return once all its processes have ended: within 5 s.

    A process that is not over in time is killed. Nothing to end is no failure.
    """
    settings = local_settings()
    runtime = settings.runtime_folder()
    running = _holders(runtime)
    if not running:
        click.echo(f"nothing is running for instance {settings.instance!r}")
        return
    for role, pid in running.items():
        _check(runtime, role, pid)
    began = time.monotonic()
    # `tickflag start` ends its services itself, and would take the end of one for a failure.
    if STARTER in running:
        _send(running[STARTER], signal.SIGTERM)
    all_asked = False
    killed: dict[str, int] = {}
    while left := _holders(runtime):
        over_s = time.monotonic() - began
        if over_s >= GIVE_UP_AFTER_S:
            raise TickflagError(f"{_named(left)} did not end within {GIVE_UP_AFTER_S:g} s")
        same = {role: pid for role, pid in left.items() if running.get(role) == pid}
        if not all_asked and (STARTER not in running or over_s >= STARTER_ALONE_S):
            all_asked = True
            for pid in same.values():
                _send(pid, signal.SIGTERM)
        if over_s >= KILL_AFTER_S and not killed:
            killed = same
            for pid in killed.values():
                _send(pid, signal.SIGKILL)
        time.sleep(_LOOK_S)
    click.echo(f"stopped: {_named(running)}")
    if killed:
        remove_stale(runtime)
        click.echo(f"killed, as it did not end by itself: {_named(killed)}", err=True)


def _holders(runtime: Runtime) -> dict[str, int]:
    found = ((role, Role.holder(runtime, role)) for role in (STARTER, *SERVICES, *BESIDE))
    return {role: pid for role, pid in found if pid is not None}


def _check(runtime: Runtime, role: str, pid: int) -> None:
    """Raises TickflagError where the holder of the role is no process that we see: the number may be another's."""
    if pid and sys.platform != "linux":
        return
    lock = runtime.lock_path(role)
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd") if pid else []
    except FileNotFoundError:
        descriptors = []
    except PermissionError:
        raise TickflagError(f"the {role} (pid {pid}) belongs to another user, who must stop it") from None
    for descriptor in descriptors:
        try:
            if os.path.samefile(f"/proc/{pid}/fd/{descriptor}", lock):
                return
        except OSError:  # closed meanwhile
            continue
    raise TickflagError(f"the {role} (lock {lock}) runs where it cannot be seen from here: stop it in its container")


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _named(processes: dict[str, int]) -> str:
    return ", ".join(f"{role} (pid {pid})" for role, pid in processes.items())
