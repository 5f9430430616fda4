"""The dashboard's life: listen, tell where, serve; or idle, where it is switched off or cannot be served.

Who starts all processes together ends all when one ends. So a dashboard that cannot be served says why, and idles.
"""

import contextlib
import importlib

from tickflag.common.lifecycle import Stop
from tickflag.common.log import Logger
from tickflag.common.runtime import Runtime, ServedAddress
from tickflag.common.settings import Settings

EXTRA = ("starlette", "uvicorn", "websockets")
INSTALL = "pip install 'tickflag[dashboard]'"
ELSEWHERE = "it shows the engine of its own machine only, and the setting `remote.connect` names"
THERE = "unset `remote.connect`, or look at the dashboard over there: `ssh -L 8087:127.0.0.1:8087 MACHINE`"
_LONG_S = 3_600.0


def run(settings: Settings, runtime: Runtime, log: Logger, stop: Stop) -> None:
    """Serve until `stop` is requested.

    Raises TickflagError where the settings would open the dashboard to others without protection, or the token's file
    or the certificate cannot be used.
    """
    served = ServedAddress(runtime, "dashboard")
    with contextlib.ExitStack() as stack:
        stack.callback(served.remove)
        if settings.dashboard.enabled and settings.dashboard.port:
            if settings.remote.connect:
                log.warning("no dashboard", reason=f"{ELSEWHERE} {settings.remote.connect}", do=THERE)
            elif missing := _missing():
                log.warning("no dashboard", reason=missing, do=INSTALL)
            else:
                _serve(settings, runtime, log, stop, served)
        else:
            log.info("no dashboard", reason="it is switched off", do="set `dashboard.enabled` and `dashboard.port`")
        served.write("")
        while not stop.wait(_LONG_S):
            pass


def _missing() -> str:
    """Which package of the extra cannot be used; empty where all can."""
    for name in EXTRA:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - a broken package may raise anything when it is imported
            return f"{name} does not import: {error}"
    return ""


def _serve(settings: Settings, runtime: Runtime, log: Logger, stop: Stop, served: ServedAddress) -> None:
    """Serve until `stop` is requested; return at once where no port is free."""
    from tickflag.services.dashboard.hub.hub import Hub
    from tickflag.services.dashboard.web.address import open_place
    from tickflag.services.dashboard.web.admission import Admission
    from tickflag.services.dashboard.web.application import application
    from tickflag.services.dashboard.web.server import serve
    from tickflag.services.dashboard.web.token import token_of

    block = settings.dashboard
    token = token_of(settings.token_path())
    place = open_place(block, log)
    if place is None:
        return
    admission = Admission(
        token, f"tickflag_{settings.instance}", block.open_reading, place.loopback, [*place.names, *block.hosts]
    )
    with Hub(settings, runtime, log) as hub:
        served.write(place.url)
        log.info("started", address=place.url, reading="open" if block.open_reading else "with the token")
        serve(
            lambda hang_up: application(hub, admission, settings.instance, place.tls is not None, hang_up),
            place,
            log,
            stop,
        )
    log.info("stopped")
