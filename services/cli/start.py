"""`tickflag start`: the engine's processes, until a signal or a time limit ends them."""

import os
from pathlib import Path

import click

from common.errors import AlreadyRunning, TickflagError
from common.runtime import Role
from services.cli.connection import local_settings
from services.cli.group import EXIT_ALREADY_RUNNING

SERVICES = ("feed", "collector", "trader")
PROCFILE = "".join(f"{service}: exec python -m services.{service}\n" for service in SERVICES)


@click.command()
@click.option("--for", "limit_s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Then stop.")
@click.option(
    "--procfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The processes to start; else `Procfile` in the current folder, or the built-in three.",
)
@click.option("--safe", is_flag=True, help="Load no trader; everything else runs.")
def start(limit_s: float | None, procfile: Path | None, safe: bool) -> None:
    """Start the engine and show its output, until Ctrl-C.

    Exit code 0 after a stop that was asked for, 1 where a process ended by itself, 75 where an engine already runs.
    """
    from services.cli.processes import Processes, environment

    if safe:
        os.environ["TICKFLAG_TRADER__SAFE"] = "true"  # for the processes, too
    settings = local_settings()  # a wrong one is told once here, not by every process
    runtime = settings.runtime_folder()
    for service in SERVICES:
        holder = Role.holder(runtime, service)
        if holder is not None:
            raise AlreadyRunning(
                f"a {service} is already running for instance {settings.instance!r} (pid {holder}): "
                "stop it, or use another `--instance`"
            )
    ended = Processes().run(_commands(procfile), environment(), limit_s)
    if not ended:
        return
    for name, status in ended.items():
        click.echo(f"tickflag: {name} ended by itself with status {status}, so all were stopped", err=True)
    click.get_current_context().exit(EXIT_ALREADY_RUNNING if EXIT_ALREADY_RUNNING in ended.values() else 1)


def _commands(procfile: Path | None) -> dict[str, str]:
    """Process name -> shell command."""
    from honcho.environ import expand_processes, parse_procfile

    if procfile is None and Path("Procfile").is_file():
        procfile = Path("Procfile")
    try:
        parsed = parse_procfile(procfile.read_text() if procfile else PROCFILE)
    except (OSError, UnicodeDecodeError, AssertionError) as error:  # honcho asserts that names are unique
        raise TickflagError(f"{procfile}: {error}") from None
    if not parsed.processes:
        raise TickflagError(f"{procfile}: no processes: a line is a name, a colon and a command")
    return {process.name: process.cmd for process in expand_processes(parsed.processes)}
