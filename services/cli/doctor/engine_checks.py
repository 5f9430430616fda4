"""Checks of the running engine: its processes, heartbeat, collector and traders. They change nothing."""

import importlib.util
from collections.abc import Iterator

from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.diagnosis.engine import of_feed, of_flag_file, of_roles, of_silence, of_traders
from tickflag.common.diagnosis.feed_state import feed_state
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Role, Runtime, ServedAddress
from tickflag.common.settings import Settings
from tickflag.common.wire.requests import Client
from tickflag.services.cli.connection import collector_client
from tickflag.services.cli.engine.start import SERVICES

DASHBOARD_PACKAGES = ("starlette", "uvicorn", "websockets")


def roles(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Which of the services run."""
    yield from of_roles({service: Role.holder(runtime, service) for service in SERVICES})


def heartbeat(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Whether the feed lives, and whether its segment has room for all symbols."""
    yield from of_feed(feed_state(settings, runtime))


def traders(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Whether the collector answers, and what the collector says of itself and of the traders."""
    pid = Role.holder(runtime, "collector")
    if pid is None:
        return
    try:
        with Client(runtime, "collector") as collector:
            status, trouble = collector.ask("status"), collector.ask("flags.list")["trouble"]
    except TickflagError as error:
        yield of_silence("collector", pid, str(error))
        return
    yield Diagnosis("collector", "ok", "answers")
    yield from of_flag_file(trouble)
    if metrics := status["collector"].get("metrics"):
        yield Diagnosis("metrics", "ok", f"at {metrics}")
    elif settings.collector.metrics_port:
        host, port = settings.collector.metrics_host, settings.collector.metrics_port
        do = "the collector's log says why; set `collector.metrics_host` and `collector.metrics_port`"
        yield Diagnosis("metrics", "warn", f"none are served at {host}, port {port}", do)
    yield from of_traders(status["traders"])


def dashboard(settings: Settings, runtime: Runtime) -> Iterator[Diagnosis]:
    """Whether the dashboard is served, and where; whether its extra is installed before the engine runs."""
    if not settings.dashboard.enabled or not settings.dashboard.port:
        yield Diagnosis("dashboard", "ok", "it is switched off")
        return
    url = ServedAddress(runtime, "dashboard").read()
    missing = [name for name in DASHBOARD_PACKAGES if importlib.util.find_spec(name) is None]
    if url:
        yield Diagnosis("dashboard", "ok", f"at {url}")
    elif missing:
        yield Diagnosis("dashboard", "warn", f"{', '.join(missing)} is missing", "`pip install 'tickflag[dashboard]'`")
    elif url is not None:
        do = "the dashboard's log says why; set `dashboard.host` and `dashboard.port`"
        yield Diagnosis("dashboard", "warn", "it runs, and is not served anywhere", do)
    elif any(Role.holder(runtime, service) is not None for service in SERVICES):
        do = "`python -P -m tickflag.services.dashboard` starts it, or says why it cannot"
        yield Diagnosis("dashboard", "warn", "it does not run", do)
    else:
        yield Diagnosis("dashboard", "ok", "it can be started")


def elsewhere(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the collector that `remote.connect` names answers. Check the rest of that engine on its own machine."""
    do = f"`tickflag doctor` on the machine of {settings.remote.connect} tells more"
    try:
        with collector_client(settings) as collector:
            collector.ask("control")
    except TickflagError as error:
        yield Diagnosis("remote", "fail", str(error), do)
    else:
        yield Diagnosis("remote", "ok", f"the collector at {settings.remote.connect} answers")
