"""All checks of `tickflag doctor`, each after those it depends on."""

from collections.abc import Callable, Iterator

from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings, load
from tickflag.services.cli.doctor.engine_checks import dashboard, elsewhere, heartbeat, roles, traders
from tickflag.services.cli.doctor.instance_checks import folder, keys, plugins, socket_paths, space, stale_files
from tickflag.services.cli.doctor.machine_checks import clocks, kernels, packages, python


def run_checks() -> list[Diagnosis]:
    """The diagnoses of all checks; where the settings cannot be used, only of checks that need none."""
    diagnoses = [*python(), *packages()]
    try:
        settings = load()
        runtime = settings.runtime_folder()
    except TickflagError as error:
        return [*diagnoses, *(Diagnosis("settings", "fail", line) for line in str(error).splitlines())]
    diagnoses.append(Diagnosis("settings", "ok", f"instance {settings.instance!r}"))
    if settings.remote.connect:
        return [*diagnoses, *elsewhere(settings)]
    diagnoses += [*_all(settings, runtime, folder, socket_paths, space), *clocks(), *kernels()]
    diagnoses += _all(settings, runtime, plugins, keys, stale_files, roles, heartbeat, traders, dashboard)
    return diagnoses


def _all(
    settings: Settings, runtime: Runtime, *checks: Callable[[Settings, Runtime], Iterator[Diagnosis]]
) -> Iterator[Diagnosis]:
    for check in checks:
        yield from check(settings, runtime)
