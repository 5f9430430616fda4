"""The command group `tickflag`. It imports a command's module when the command is used; a mistake is shown as one line.

Exit codes: 0 good, 1 failed, 2 wrong usage, 75 already running.
"""

import errno
import importlib
import importlib.util
import keyword
import os
import resource
import sys
from typing import Any, NamedTuple

import click

from tickflag.common.errors import EXIT_ALREADY_RUNNING, EXIT_FAILED, AlreadyRunning, TickflagError, shortage_of
from tickflag.common.streams import silence, visible

MEMORY_BYTES = 1 << 30
"""Addresses that the libraries take, mostly without using them."""
_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class CommandEntry(NamedTuple):
    """One command: the module that holds it, and what `tickflag --help` says of it."""

    module: str
    help: str


# Name -> command. In its module the command has the same name, with `_` for `-`, and with a `_` at the end where Python
# reserves the word.
COMMANDS = {
    "start": CommandEntry("engine.start", "Start the engine: feed, collector and traders."),
    "stop": CommandEntry("engine.stop", "End the engine, and all its processes."),
    "dashboard": CommandEntry("dashboard.dashboard", "Show or open the address of the dashboard."),
    "status": CommandEntry("engine.status", "Show the engine on one screen."),
    "top": CommandEntry("top.top", "Show the engine live in the terminal."),
    "traders": CommandEntry("traders.traders", "List the traders."),
    "trader": CommandEntry("traders.trader", "Start, stop, restart, enable, disable or release a trader."),
    "matches": CommandEntry("traders.traders", "List the symbols that match a trader's rule now."),
    "signals": CommandEntry("signals.signals", "Show what entered and left the traders' matches."),
    "notices": CommandEntry("signals.notices", "Show what happened to circuits and feature flags."),
    "circuits": CommandEntry("traders.circuits", "Show which traders fail too often."),
    "errors": CommandEntry("traders.circuits", "Show the traders' errors, each once."),
    "flags": CommandEntry("flags.flags", "Feature flags: list, set, force, ramp, explain."),
    "experiment": CommandEntry("flags.experiment", "Compare the arms of a feature flag."),
    "keys": CommandEntry("config.keys", "Keys of operators on other machines: make, allow, revoke."),
    "logs": CommandEntry("engine.logs", "Show what a trader wrote."),
    "segment": CommandEntry("engine.segment", "Look at the segment, swap, clean up after a crash."),
    "synthetic": CommandEntry("engine.synthetic", "Steer the synthetic market."),
    "new-trader": CommandEntry("traders.new_trader", "Write a trader to begin with, and its test."),
    "check": CommandEntry("traders.check", "Check a trader on a generated market."),
    "replay": CommandEntry("replay.replay", "Run traders over recordings."),
    "import": CommandEntry("recordings.import_", "Make a recording of CSV or Parquet files."),
    "doctor": CommandEntry("doctor.doctor", "Check this machine and the running engine."),
    "show-config": CommandEntry("config.show_config", "Show every setting, its value and where that comes from."),
}


class CommandFailure(click.ClickException):
    """Ends a command with one line on standard error."""

    exit_code = EXIT_FAILED

    def show(self, file: Any = None) -> None:
        click.echo(f"tickflag: {self.format_message()}", file=file, err=file is None)


class RoleTaken(CommandFailure):
    """Another process holds the role."""

    exit_code = EXIT_ALREADY_RUNNING


class LazyGroup(click.Group):
    """Has the commands of `COMMANDS`, and imports only the one that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(_module(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = getattr(importlib.import_module(_module(cmd_name)), _identifier(cmd_name))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        _check_memory()
        try:
            return super().invoke(ctx)
        except AlreadyRunning as error:
            raise RoleTaken(str(error)) from None
        except TickflagError as error:
            raise CommandFailure(visible(str(error))) from None
        except BrokenPipeError:
            # The reader of our output has closed it. Python flushes standard output at exit, which must not fail again.
            silence(sys.stdout)
            ctx.exit(0)
        except Exception as error:
            lacking = shortage_of(error)
            if lacking:
                raise CommandFailure(lacking) from None
            if isinstance(error, OSError):
                raise CommandFailure(told(error)) from None
            raise


def _check_memory() -> None:
    """Refuse a limit under which libraries fail in their own ways: they end the process, or say that they are not
    installed."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < MEMORY_BYTES:
        raise CommandFailure(
            f"this process may use only {allowed >> 20} MB of addresses (`ulimit -v`): "
            f"tickflag needs {MEMORY_BYTES >> 20}"
        )


def told(error: OSError) -> str:
    """What the machine refuses, in one line: the file, or that it is the output, and why."""
    reason = error.strerror or str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {reason}"
    # Who writes a file names it. What is left is standard output.
    return f"the output cannot be written: {reason}" if error.errno in _OF_OUTPUT else reason


def _module(name: str) -> str:
    return f"tickflag.services.cli.{COMMANDS[name].module}"


def _identifier(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name.replace("-", "_")


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"tickflag {version('tickflag')}")
    except PackageNotFoundError:
        click.echo("tickflag, run from its sources")
    ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--instance", metavar="NAME", help="The engine to work with; else the setting `instance`.")
@click.option(
    "--config",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of the configuration files; else TICKFLAG_CONFIG, or `configs`.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
def tickflag(instance: str | None, config: str | None) -> None:
    """Tickflag: a market screener that processes only what changed."""
    # As environment variables, so that they count in the processes that we start too.
    if instance is not None:
        os.environ["TICKFLAG_INSTANCE"] = instance
    if config is not None:
        os.environ["TICKFLAG_CONFIG"] = config
