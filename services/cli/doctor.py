"""`tickflag doctor`: checks of this machine, the runtime folder and the running engine."""

import click

from services.cli.group import EXIT_FAILED
from services.cli.output import json_option, show_json

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check this machine and the running engine; say what to do. Exit code 1 where a check fails."""
    from services.cli.checks import run_checks

    findings = run_checks()
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        show_json({"ok": not failed, "checks": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            level = click.style(f"{finding.level:<5}", fg=_STYLES[finding.level])
            click.echo(f"{level}{finding.check:<14}{finding.found}" + (f": {finding.do}" if finding.do else ""))
    if failed:
        click.get_current_context().exit(EXIT_FAILED)
