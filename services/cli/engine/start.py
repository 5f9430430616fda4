"""`tickflag start`: the engine's processes, until a signal or a time limit ends them."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickflag.common.errors import EXIT_ALREADY_RUNNING, EXIT_FAILED, AlreadyRunning, TickflagError
from tickflag.common.lifecycle import prepare
from tickflag.common.runtime import Role, Runtime, ServedAddress
from tickflag.common.settings import Settings
from tickflag.common.streams import complain
from tickflag.services.cli.connection import local_settings

if TYPE_CHECKING:
    from tickflag.common.wire.requests import Service
    from tickflag.services.cli.engine.line_writer import LogFile

SERVICES: "tuple[Service, ...]" = ("feed", "collector", "trader")
BESIDE = ("dashboard",)
"""Services that the engine does not need: where one ends, the others go on."""
STARTER = "starter"
"""The role of `tickflag start`, by which `tickflag stop` finds it."""
PROCFILE = "".join(f"{service}: exec python -P -m tickflag.services.{service}\n" for service in (*SERVICES, *BESIDE))
DETACH_WITHIN_S = 30.0
DASHBOARD_WITHIN_S = 5.0
ANSWER_S = 1.0
_LOOK_S = 0.05


@click.command()
@click.option("--for", "limit_s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Then stop.")
@click.option(
    "--procfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The processes to start; else `Procfile` in the current folder, or the built-in four.",
)
@click.option("--safe", is_flag=True, help="Load no trader; everything else runs.")
@click.option("--detach", is_flag=True, help="Run in the background, until `tickflag stop`.")
@click.option(
    "--log",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append the output to FILE; with --detach `start.log` in the state folder where not given.",
)
def start(limit_s: float | None, procfile: Path | None, safe: bool, detach: bool, log: Path | None) -> None:
    """Start the engine and show its output, until Ctrl-C or `tickflag stop`.

    Exit code 0 after a stop that was asked for, 1 where a process ended by itself, 75 where an engine already runs.
    """
    if safe:
        os.environ["TICKFLAG_TRADER__SAFE"] = "true"  # so that it counts in the processes too
    settings = local_settings()  # read here, so that a mistake is told once and not by every process
    runtime = settings.runtime_folder()
    for service in SERVICES:
        holder = Role.holder(runtime, service)
        if holder is not None:
            raise AlreadyRunning(
                f"a {service} is already running for instance {settings.instance!r} (pid {holder}): "
                "end it with `tickflag stop`, or use another `--instance`"
            )
    commands = _commands(procfile)
    if detach:
        _detach(runtime, log or _default_log(settings), limit_s, procfile, commands)
    else:
        _run(runtime, log, limit_s, commands)


def _run(runtime: Runtime, log: Path | None, limit_s: float | None, commands: dict[str, str]) -> None:
    from contextlib import ExitStack

    from tickflag.services.cli.engine.first_words import FirstWords, command_line
    from tickflag.services.cli.engine.line_writer import LineWriter, to_descriptor
    from tickflag.services.cli.engine.processes import Processes, environment

    prepare(runtime)
    with ExitStack() as stack:
        stack.enter_context(Role(runtime, STARTER))
        put = to_descriptor(sys.stdout.fileno()) if log is None else _log_file(log)
        output = LineWriter(put, sys.stdout.encoding if log is None else "utf-8")
        stack.callback(output.close)
        processes = Processes(output, coloured=log is None and sys.stdout.isatty())
        beside = {name for name in commands if name.partition(".")[0] in BESIDE}
        if {name.partition(".")[0] for name in commands}.issuperset(SERVICES):
            end = f"{command_line('stop')}{' or Ctrl-C' if log is None else ''} ends the engine"
            stack.enter_context(FirstWords(runtime, processes.say, end, dashboard="dashboard.1" in beside))
        ended = processes.run(commands, environment(), limit_s, beside=beside)
    for name, status in ended.items():
        complain(f"tickflag: {name} ended by itself with status {status}, so all were stopped")
    if processes.lost is not None:
        complain(f"tickflag: the output cannot be written ({processes.lost.strerror}), so all were stopped")
    if ended or processes.lost is not None:
        known = EXIT_ALREADY_RUNNING in ended.values()
        click.get_current_context().exit(EXIT_ALREADY_RUNNING if known else EXIT_FAILED)


def _detach(
    runtime: Runtime, log: Path, limit_s: float | None, procfile: Path | None, commands: dict[str, str]
) -> None:
    """Start `tickflag start` in a session of its own, and wait until each service answers.

    Raises TickflagError with its last words where it ends before.
    """
    from tickflag.services.cli.engine.first_words import command_line

    _log_file(log)  # a mistake is told here
    command = [sys.executable, "-P", "-m", "tickflag.services.cli", "start", "--log", str(log.resolve())]
    command += [] if limit_s is None else ["--for", str(limit_s)]
    command += [] if procfile is None else ["--procfile", str(procfile)]
    before = log.stat().st_size
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    services = [service for service in SERVICES if f"{service}.1" in commands]
    deadline = time.monotonic() + DETACH_WITHIN_S
    while not _all_answer(runtime, services) and time.monotonic() < deadline:
        if process.poll() is not None:
            with log.open("rb") as file:
                file.seek(before)
                last = last_words(file.read().decode(errors="replace"))
            error = AlreadyRunning if process.returncode == EXIT_ALREADY_RUNNING else TickflagError
            raise error(f"the engine ended at once: {last} (log: {log})")
        time.sleep(_LOOK_S)
    click.echo(f"the engine runs in the background (pid {process.pid}); it writes to {log}")
    if url := _dashboard(runtime, commands, deadline):
        click.echo(f"dashboard  {url}")
    click.echo(
        f"next  {command_line('status')}\n      {command_line('signals --follow')}\n      {command_line('stop')}"
    )


def last_words(output: str) -> str:
    """Why a start failed, out of what it wrote: the last line of the service that ended by itself, else of all."""
    lines = output.strip().splitlines()
    last = lines[-1].removeprefix("tickflag: ") if lines else ""
    name, ended, _ = last.partition(" ended by itself")
    parts = [line.partition(" | ") for line in lines if ended]
    own = [said for who, bar, said in parts if bar and who.split()[-1:] == [name]]
    return own[-1] if own else last


def _all_answer(runtime: Runtime, services: "Sequence[Service]") -> bool:
    """Whether the starter and the services are there. One that has its role only may still find a mistake."""
    from tickflag.common.wire.requests import Client

    if any(Role.holder(runtime, role) is None for role in (STARTER, *services)):
        return False
    try:
        for service in services:
            with Client(runtime, service, ANSWER_S) as client:
                client.ask("traders" if service == "trader" else "status")
    except TickflagError:  # not yet
        return False
    return True


def _dashboard(runtime: Runtime, commands: dict[str, str], deadline: float) -> str:
    """The dashboard's address, once it tells it; empty where there is none."""
    served = ServedAddress(runtime, "dashboard")
    deadline = min(deadline, time.monotonic() + DASHBOARD_WITHIN_S)
    while (url := served.read()) is None and "dashboard.1" in commands and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    return url or ""


def _default_log(settings: Settings) -> Path:
    folder = settings.state_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise TickflagError(f"state folder {folder}: {error.strerror}: name a log file with --log") from None
    return folder / "start.log"


def _log_file(path: Path) -> "LogFile":
    """The log file, opened. Raises TickflagError where it cannot be."""
    from tickflag.services.cli.engine.line_writer import LogFile

    try:
        return LogFile(path)
    except OSError as error:
        raise TickflagError(f"log file {path}: {error.strerror}: choose another with --log") from None


def _commands(procfile: Path | None) -> dict[str, str]:
    """Process name -> shell command."""
    from honcho.environ import expand_processes, parse_procfile

    if procfile is None and Path("Procfile").is_file():
        procfile = Path("Procfile")
    try:
        parsed = parse_procfile(procfile.read_text(encoding="utf-8") if procfile else PROCFILE)
    except (OSError, UnicodeDecodeError, AssertionError) as error:  # honcho asserts that names are unique
        raise TickflagError(f"{procfile}: {error}") from None
    if not parsed.processes:
        raise TickflagError(f"{procfile}: no processes: a line is a name, a colon and a command")
    return {process.name: process.cmd for process in expand_processes(parsed.processes)}
