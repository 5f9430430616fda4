"""Checks: each looks at one thing and gives findings. They change nothing."""

import importlib
import platform
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from common.allowlist import AllowList
from common.errors import TickflagError
from common.keys import load_pair
from common.layout import plan
from common.requests import Client
from common.runtime import MAX_SOCKET_PATH_BYTES, Role, Runtime
from common.settings import Settings, load
from services.cli import feed, remains
from services.cli.connection import collector as connected
from services.cli.output import amount, duration

SERVICES = ("feed", "collector", "trader")
PACKAGES = (
    "zmq", "numpy", "numba", "msgpack", "pluggy", "pydantic", "pydantic_settings", "honcho", "structlog", "zstandard",
    "prometheus_client", "click", "rich",
)  # fmt: skip
OLDEST_PYTHON = (3, 11)
OLDEST_CLOCK_S = 1_735_689_600  # 2025: a clock before it was never set
TROUBLE = {"failing": "fail", "restarting": "fail", "skipped": "warn", "stale": "warn", "stopped": "warn"}

Level = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """A line of the report."""

    check: str
    level: Level
    found: str
    do: str = ""
    """What to do about it."""


Findings = Iterator[Finding]


def run_checks() -> list[Finding]:
    """All of them, in the order in which one rests on another."""
    findings = [*python(), *packages()]
    try:
        settings = load()
        runtime = settings.runtime_folder()
    except TickflagError as error:
        return [*findings, *(Finding("settings", "fail", line) for line in str(error).splitlines())]
    findings.append(Finding("settings", "ok", f"instance {settings.instance!r}"))
    if settings.remote.connect:
        return [*findings, *elsewhere(settings)]
    checks: tuple[Callable[[Settings, Runtime], Findings], ...] = (
        folder, socket_paths, space, clocks, kernels, plugins, keys, left_behind, roles, heartbeat, traders,
    )  # fmt: skip
    for check in checks:
        findings += check(settings, runtime)
    return findings


def elsewhere(settings: Settings) -> Findings:
    """The collector that `remote.connect` names; the rest of it is checked on its own machine."""
    do = f"`tickflag doctor` on the machine of {settings.remote.connect} tells more"
    try:
        with connected(settings) as collector:
            collector.ask("control")
    except TickflagError as error:
        yield Finding("remote", "fail", str(error), do)
    else:
        yield Finding("remote", "ok", f"the collector at {settings.remote.connect} answers")


def python() -> Findings:
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info < OLDEST_PYTHON:
        yield Finding("python", "fail", found, f"use {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    else:
        yield Finding("python", "ok", found)


def packages() -> Findings:
    missing = False
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except Exception as error:  # noqa: BLE001 - a broken package may raise anything when it is imported
            missing = True
            yield Finding("packages", "fail", f"{package} does not import: {error}", "install tickflag again")
    if not missing:
        yield Finding("packages", "ok", f"all {len(PACKAGES)} import")


def folder(settings: Settings, runtime: Runtime) -> Findings:
    path = runtime.folder
    if not path.exists():
        yield Finding("folder", "ok", f"{path} is made at the first start")
        return
    try:
        list(path.iterdir())
    except OSError as error:
        yield Finding("folder", "fail", f"{path}: {error.strerror}", "set `runtime.root` to a folder of your own")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode != 0o700:
        yield Finding("folder", "warn", f"{path} has mode {mode:o}", "others may look in; the next start sets 700")
    else:
        yield Finding("folder", "ok", f"{path}, for its owner only")


def socket_paths(settings: Settings, runtime: Runtime) -> Findings:
    # A folder that is too long has been refused with the settings.
    longest = max(len(str(runtime.folder / name)) for name in remains.endpoints())
    yield Finding("socket paths", "ok", f"{longest} of at most {MAX_SOCKET_PATH_BYTES} bytes")


def space(settings: Settings, runtime: Runtime) -> Findings:
    needed = plan(settings.segment.capacity, settings.segment.depth, settings.intervals_s).total_bytes
    where = runtime.folder
    while not where.exists():
        where = where.parent
    free = shutil.disk_usage(where).free
    found = f"the segment takes {amount(needed)}, {where} has {amount(free)} free"
    if Role.holder(runtime, "feed") is not None:
        yield Finding("space", "ok", f"the running feed has its {amount(needed)}; {amount(free)} more are free")
    elif free < needed:
        yield Finding("space", "fail", found, "lower `segment.capacity` or `segment.depth`, or set `runtime.root`")
    elif settings.segment.growth and free < 3 * needed:
        yield Finding("space", "warn", found, "too little to grow: it would take twice as much beside the old one")
    else:
        yield Finding("space", "ok", found)


def clocks(settings: Settings, runtime: Runtime) -> Findings:
    resolution_ns = time.get_clock_info("monotonic").resolution * 1e9
    if time.time() < OLDEST_CLOCK_S:
        yield Finding(
            "clock", "fail", f"it shows {time.strftime('%Y-%m-%d', time.gmtime())}", "set it: candles follow it"
        )
    elif resolution_ns > 1_000_000:
        yield Finding("clock", "warn", f"the monotonic clock moves in steps of {duration(resolution_ns / 1e6)}")
    else:
        yield Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def kernels(settings: Settings, runtime: Runtime) -> Findings:
    from common.jit import cache_folder

    cache = cache_folder()
    cold = [role for role in ("feed", "trader") if not (cache / f"{role}.warm").exists()]
    if cold:
        yield Finding("kernels", "warn", f"not compiled yet for {' and '.join(cold)}", "the first start takes longer")
    else:
        yield Finding("kernels", "ok", f"compiled, in {cache}")


def plugins(settings: Settings, runtime: Runtime) -> Findings:
    path = settings.trader.plugins
    files = [file for file in path.glob("*.py") if not file.name.startswith(("_", ".", "test_"))]
    if files:
        yield Finding("plugins", "ok", f"{len(files)} trader files in {path.resolve()}")
    else:
        yield Finding("plugins", "warn", f"no trader file in {path.resolve()}", "put one there or set `trader.plugins`")


def keys(settings: Settings, runtime: Runtime) -> Findings:
    """Of an engine that is open to other machines."""
    if not settings.remote.commands and not settings.remote.signals:
        return
    try:
        load_pair(settings.server_key_path(), "remote.server_key", "`tickflag keys new-server` makes one")
    except TickflagError as error:
        yield Finding("keys", "fail", str(error), "the collector does not start without")
    allowed = AllowList(settings.allowed_path())
    allowed.refresh()
    for trouble in allowed.trouble:
        yield Finding("keys", "warn", trouble)
    if allowed.names:
        yield Finding("keys", "ok", f"allowed are {', '.join(sorted(allowed.names.values()))}")
    else:
        yield Finding("keys", "warn", "nobody is allowed from other machines", "`tickflag keys allow FILE`")


def left_behind(settings: Settings, runtime: Runtime) -> Findings:
    left = [
        name for service in SERVICES if Role.holder(runtime, service) is None for name in remains.find(runtime, service)
    ]
    if left:
        yield Finding("remains", "warn", f"a crash left {', '.join(left)}", "`tickflag segment clean`, or just start")
    else:
        yield Finding("remains", "ok", "none")


def roles(settings: Settings, runtime: Runtime) -> Findings:
    holders = {service: Role.holder(runtime, service) for service in SERVICES}
    if not any(holders.values()):
        yield Finding("processes", "ok", "no engine is running")
        return
    for service, pid in holders.items():
        if pid is None:
            yield Finding("processes", "warn", f"no {service} is running", f"`python -m services.{service}` starts it")
        else:
            yield Finding("processes", "ok", f"{service} is running (pid {pid})")


def heartbeat(settings: Settings, runtime: Runtime) -> Findings:
    facts = feed.facts(settings, runtime)
    if facts["state"] == "stopped":
        return
    if facts["state"] == "starting":
        yield Finding("heartbeat", "warn", "the feed has no segment yet", "the first start takes some seconds")
        return
    age = f"{duration(facts['heartbeat_age_ms'])} ago, {facts['symbols']:,} of {facts['capacity']:,} symbols"
    if facts["state"] == "stale":
        yield Finding("heartbeat", "fail", f"last {age}", f"pid {facts['pid']} is stuck: look at it, then restart it")
    else:
        yield Finding("heartbeat", "ok", age)
    if facts["refused_symbols"]:
        do = "raise `segment.capacity` or set `segment.growth`"
        yield Finding("symbols", "warn", f"{facts['refused_symbols']:,} found no room in the segment", do)


def traders(settings: Settings, runtime: Runtime) -> Findings:
    """The collector's answer, and what it says of itself and of the traders."""
    pid = Role.holder(runtime, "collector")
    if pid is None:
        return
    try:
        with Client(runtime, "collector") as collector:
            status, trouble = collector.ask("status"), collector.ask("flags.list")["trouble"]
    except TickflagError as error:
        yield Finding("collector", "fail", str(error), f"look at pid {pid}, then restart it")
        return
    known: list[dict[str, Any]] = status["traders"]
    yield Finding("collector", "ok", "answers")
    if trouble:
        yield Finding("flags", "warn", trouble, "mend the file; the next change by `tickflag flags` writes a good one")
    if metrics := status["collector"].get("metrics"):
        yield Finding("metrics", "ok", f"at {metrics}")
    elif settings.collector.metrics_port:
        host, port = settings.collector.metrics_host, settings.collector.metrics_port
        do = "the collector's log says why; set `collector.metrics_host` and `collector.metrics_port`"
        yield Finding("metrics", "warn", f"none are served at {host}, port {port}", do)
    for trader in known:
        level: Any = TROUBLE.get(trader["state"])
        if level:
            reason = trader["reason"] or trader["error"] or "no reason given"
            do = f"`tickflag logs {trader['log'] or trader['name']}`"
            yield Finding("traders", level, f"{trader['name']} is {trader['state']} ({reason})", do)
    well = sum(trader["state"] not in TROUBLE for trader in known)
    yield Finding("traders", "ok", f"{well} of {len(known)} are well")
