"""Workers of a running engine: the supervisor's lines on traders, and their processes."""

from typing import Any

import psutil

from common.errors import TickflagError
from common.requests import Unreachable
from tests.support.engine import Engine


def line(engine: Engine, name: str) -> dict[str, Any]:
    """The supervisor's word on a trader, which is newer than the collector's; Unreachable while it knows none."""
    try:
        found: dict[str, Any] = engine.request("trader", "trader", trader=name)
    except TickflagError as error:
        raise Unreachable(str(error)) from None
    return found


def runs(engine: Engine, name: str, but: str = "") -> dict[str, Any]:
    """Its line once it runs at another version than `but`; empty until then."""
    found = line(engine, name)
    return found if found["state"] == "running" and not found["busy"] and found["trader_version"] != but else {}


def pids(engine: Engine, *names: str) -> list[int]:
    """Of the traders' processes, in this order."""
    return [int(line(engine, name)["pid"]) for name in names]


def gone(pid: int) -> bool:
    """The process has ended, whether anybody waited for it or not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
