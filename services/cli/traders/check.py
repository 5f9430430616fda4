"""`tickflag check`: does a trader keep to its contract, and what does it cost?"""

import json
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from common import settings as configuration
from services.cli.group import EXIT_FAILED
from services.cli.output import json_option, show_json

if TYPE_CHECKING:
    from services.testing.finding import Finding

DEADLINE_S = 10.0  # at least: a busy machine must not make a trader look bad
_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


def _own(_ctx: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Values are JSON where they can be, else text."""
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
    "--settings", "own", multiple=True, callback=_own, metavar="KEY=VALUE",
    help="One of the trader's own settings; may be repeated.",
)  # fmt: skip
@click.option("--debug", is_flag=True, help="In this process: breakpoints work, prints and tracebacks are shown.")
@json_option
def check(file: Path, own: Mapping[str, Any], debug: bool, as_json: bool) -> None:
    """Check the trader in FILE on a generated market. Exit code 1 where a check fails."""
    from services.testing.guard import guarded

    if debug and as_json:
        raise click.UsageError("--debug and --json do not go together")
    if not file.is_file():
        raise click.UsageError(f"no such file: {file}")
    settings = configuration.load()
    findings: list[Finding] = []
    cost = None
    for found in _debugged(file, own) if debug else guarded(file, own, max(settings.trader.deadline_s, DEADLINE_S)):
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


def _debugged(file: Path, own: Mapping[str, Any]) -> "Iterable[Finding]":
    from services.testing.check import Check

    def show(error: BaseException) -> None:
        traceback.print_exception(error.__cause__ or error)

    return Check(configuration.load(), file.resolve(), own, on_fault=show).run()
