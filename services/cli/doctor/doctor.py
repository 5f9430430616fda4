"""`tickflag doctor`: checks of this machine, the runtime folder and the running engine."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli.group import EXIT_FAILED
from services.cli.output import amount, json_option, show_json

if TYPE_CHECKING:
    from services.cli.checks import Finding

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@click.option(
    "--bundle",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help="Gather what an investigation needs into FILE, a .tar.gz; exit code 0 where it was written.",
)
@json_option
def doctor(bundle: str | None, as_json: bool) -> None:
    """Check this machine and the running engine; say what to do. Exit code 1 where a check fails."""
    from services.cli.checks import run_checks

    if bundle is not None:
        _bundle(bundle, as_json)
        return
    findings = run_checks()
    failed = any(finding.level == "fail" for finding in findings)
    if as_json:
        show_json({"ok": not failed, "checks": [finding._asdict() for finding in findings]})
    else:
        _show(findings)
    if failed:
        click.get_current_context().exit(EXIT_FAILED)


def _show(findings: "list[Finding]") -> None:
    for finding in findings:
        level = click.style(f"{finding.level:<5}", fg=_STYLES[finding.level])
        click.echo(f"{level}{finding.check:<14}{finding.found}" + (f": {finding.do}" if finding.do else ""))


def _bundle(file: str, as_json: bool) -> None:
    """Findings and everything else into the file; an existing one stays as it is."""
    from services.cli.bundle import create
    from services.cli.evidence import gather

    path = Path(file or _name())
    with create(path) as bundle:
        findings = gather(bundle)
    size = path.stat().st_size
    if as_json:
        checks = [finding._asdict() for finding in findings]
        ok = all(finding.level != "fail" for finding in findings)
        written = {"file": str(path), "bytes": size, "files": bundle.files, "absent": bundle.absent}
        show_json({"ok": ok, "checks": checks, "bundle": written})
        return
    _show(findings)
    away = f", and why {len(bundle.absent)} more are absent" if bundle.absent else ""
    click.echo(
        f"{path} ({amount(size)}) holds findings, versions, settings, answers of the services, logs of the traders and "
        f"lists of files, {len(bundle.files)} files in all{away}; it tells trader names, settings and signals to "
        "whoever gets it"
    )


def _name() -> str:
    """With the instance and the UTC time, in the current folder."""
    from common.errors import TickflagError
    from common.settings import load

    try:
        settings = load()
        instance = settings.runtime_folder().folder.name  # which refuses names that are none
    except TickflagError:
        instance = "unknown"
    return f"tickflag-{instance}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz"
