"""The command group: a command's module is imported when it is used; mistakes are one line; exit codes are fixed.

Exit codes: 0 good, 1 failed, 2 wrong usage, 75 already running.
"""

import importlib
import importlib.util
import keyword
import os
import sys
from typing import Any

import click

from common.errors import AlreadyRunning, TickflagError

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 75

# Name -> what `tickflag --help` says of it. Its module has the same name, or the one in _MODULES, and the command in
# it too, with `_` for `-` and behind a word of Python's own.
COMMANDS = {
    "start": "Start the engine: feed, collector and traders.",
    "status": "Show the engine on one screen.",
    "traders": "List the traders.",
    "trader": "Start, stop, restart, enable, disable or release a trader.",
    "matches": "List the symbols that match a trader's rule now.",
    "signals": "Show what entered and left the traders' matches.",
    "notices": "Show what happened to circuits and feature flags.",
    "circuits": "Show which traders fail too often.",
    "errors": "Show the traders' errors, each once.",
    "flags": "Feature flags: list, set, force, ramp, explain.",
    "experiment": "Compare the arms of a feature flag.",
    "keys": "Keys of operators on other machines: make, allow, revoke.",
    "logs": "Show what a trader wrote.",
    "segment": "Look at the segment, swap, clean up after a crash.",
    "synthetic": "Steer the synthetic market.",
    "new-trader": "Write a trader to begin with, and its test.",
    "check": "Check a trader on a generated market.",
    "replay": "Run traders over recordings.",
    "import": "Make a recording of CSV files.",
    "doctor": "Check this machine and the running engine.",
    "show-config": "Show every setting, its value and where that comes from.",
}
_MODULES = {"matches": "traders", "errors": "circuits"}


class Failure(click.ClickException):
    """What ends a command, as one line on standard error."""

    exit_code = EXIT_FAILED

    def show(self, file: Any = None) -> None:
        click.echo(f"tickflag: {self.format_message()}", file=file, err=file is None)


class Refusal(Failure):
    """Another process holds the role."""

    exit_code = EXIT_ALREADY_RUNNING


class LazyGroup(click.Group):
    """A group whose commands are named in `COMMANDS` and imported one at a time."""

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
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except AlreadyRunning as error:
            raise Refusal(str(error)) from None
        except TickflagError as error:
            raise Failure(str(error)) from None
        except PermissionError as error:
            raise Failure(f"{error.filename}: {error.strerror}") from None
        except BrokenPipeError:
            # Whoever read us has seen enough. Python flushes standard output at exit: not into that pipe again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)


def _module(name: str) -> str:
    return f"services.cli.{_identifier(_MODULES.get(name, name))}"


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
    # As environment variables, so that the processes we start follow them too.
    if instance is not None:
        os.environ["TICKFLAG_INSTANCE"] = instance
    if config is not None:
        os.environ["TICKFLAG_CONFIG"] = config
