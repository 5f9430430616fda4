"""`tickflag doctor`: checks of this machine, the runtime folder and the running engine."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickflag.common.errors import EXIT_FAILED
from tickflag.services.cli.output import byte_size, json_option, show_json

if TYPE_CHECKING:
    from tickflag.common.diagnosis.diagnosis import Diagnosis

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
    from tickflag.services.cli.doctor.checks import run_checks

    if bundle is not None:
        _bundle(bundle, as_json)
        return
    diagnoses = run_checks()
    failed = any(diagnosis.level == "fail" for diagnosis in diagnoses)
    if as_json:
        show_json({"ok": not failed, "checks": [diagnosis._asdict() for diagnosis in diagnoses]})
    else:
        _show(diagnoses)
    if failed:
        click.get_current_context().exit(EXIT_FAILED)


def _show(diagnoses: "list[Diagnosis]") -> None:
    for diagnosis in diagnoses:
        level = click.style(f"{diagnosis.level:<5}", fg=_STYLES[diagnosis.level])
        click.echo(f"{level}{diagnosis.check:<14}{diagnosis.found}" + (f": {diagnosis.do}" if diagnosis.do else ""))


def _bundle(file: str, as_json: bool) -> None:
    """Write the bundle, diagnoses included; an existing file is not touched."""
    from tickflag.services.cli.doctor.bundle import create
    from tickflag.services.cli.doctor.evidence import gather

    path = Path(file or _file_name())
    with create(path) as bundle:
        diagnoses = gather(bundle)
    size = path.stat().st_size
    if as_json:
        checks = [diagnosis._asdict() for diagnosis in diagnoses]
        ok = all(diagnosis.level != "fail" for diagnosis in diagnoses)
        written = {"file": str(path), "bytes": size, "files": bundle.files, "absent": bundle.absent}
        show_json({"ok": ok, "checks": checks, "bundle": written})
        return
    _show(diagnoses)
    away = f", and why {len(bundle.absent)} more are absent" if bundle.absent else ""
    click.echo(
        f"{path} ({byte_size(size)}) holds findings, versions, settings, answers of the services, logs of the traders "
        f"and lists of files, {len(bundle.files)} files in all{away}; it tells trader names, settings and signals to "
        "whoever gets it"
    )


def _file_name() -> str:
    """The name of a bundle in the current folder, with the instance and the UTC time."""
    from tickflag.common.errors import TickflagError
    from tickflag.common.settings import load

    try:
        settings = load()
        instance = settings.runtime_folder().folder.name  # `runtime_folder` refuses a wrong name
    except TickflagError:
        instance = "unknown"
    return f"tickflag-{instance}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.tar.gz"
