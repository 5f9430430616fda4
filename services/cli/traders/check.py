"""`tickflag check`: does a trader keep to its contract, and what does it cost?"""

import json
import subprocess
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tickflag.common import settings as configuration
from tickflag.common.errors import EXIT_FAILED
from tickflag.services.cli.output import json_option, show_json

if TYPE_CHECKING:
    from tickflag.services.testing.check.finding import Finding

DEADLINE_S = 10.0  # the shortest deadline, so that a busy machine does not make a trader fail
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def _settings(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Key -> value. A value that is not JSON is a text."""
    own: dict[str, Any] = {}
    for value in values:
        key, equals, text = value.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{value!r}: use KEY=VALUE, as period=20")
        try:
            own[key] = json.loads(text)
        except ValueError:
            own[key] = text
    return own


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--settings", "own", multiple=True, callback=_settings, metavar="KEY=VALUE",
    help="One of the trader's own settings; may be repeated.",
)  # fmt: skip
@click.option("--debug", is_flag=True, help="In this process: breakpoints work, prints and tracebacks are shown.")
@json_option
def check(file: Path, own: Mapping[str, Any], debug: bool, as_json: bool) -> None:
    """Check the trader in FILE on a generated market. Exit code 1 where a check fails."""
    from tickflag.services.testing.check.isolation import isolated

    if debug and as_json:
        raise click.UsageError("--debug and --json do not go together")
    if not file.is_file():
        raise click.UsageError(f"no such file: {file}")
    settings = configuration.load()
    _compile_kernels()
    findings: list[Finding] = []
    cost = None
    deadline_s = max(settings.trader.deadline_s, DEADLINE_S)
    for found in _debugged(file, own) if debug else isolated(file, own, deadline_s, settings.trader.memory_limit_mb):
        if isinstance(found, dict):
            cost = found
            continue
        findings.append(found)
        if not as_json:
            level = click.style(f"{found.level:<5}", fg=_STYLES[found.level])
            click.echo(f"{level}{found.check:<12}{found.found}" + (f": {found.do}" if found.do else ""))
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        checks = [finding._asdict() for finding in findings]
        show_json({"ok": not failed, "file": str(file), "checks": checks, "cost": cost})
    if failed:
        click.get_current_context().exit(EXIT_FAILED)


def _compile_kernels() -> None:
    """Compile the kernels where no process has: a trader must not be blamed for the time that takes."""
    from tickflag.common.jit import cache_folder

    cold = [service for service in ("feed", "trader") if not (cache_folder() / f"{service}.warm").exists()]
    if cold:
        click.echo("first run: compiling kernels, this takes some seconds", err=True)
    for service in cold:
        arguments = f"-P -m tickflag.services.{service}.warmup".split()
        subprocess.run([sys.executable, *arguments], check=False)


def _debugged(file: Path, own: Mapping[str, Any]) -> "Iterable[Finding]":
    from tickflag.services.testing.check.check import Check

    def show(error: BaseException) -> None:
        traceback.print_exception(error.__cause__ or error)

    return Check(configuration.load(), file.resolve(), own, on_fault=show).run()
