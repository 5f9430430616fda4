"""Workers of a running engine: the supervisor's lines on their traders, and their processes."""

from typing import Any

import psutil

from tests.support.harnesses.engine import Engine
from tickflag.common.errors import TickflagError
from tickflag.common.wire.requests import Unreachable


def line(engine: Engine, name: str) -> dict[str, Any]:
    """The supervisor's line of a trader, which is newer than the collector's. Raises Unreachable while it knows
    none."""
    try:
        found: dict[str, Any] = engine.request("trader", "trader", trader=name)
    except TickflagError as error:
        raise Unreachable(str(error)) from None
    return found


def runs(engine: Engine, name: str, but: str = "") -> dict[str, Any]:
    """The trader's line once it runs at another version than `but`; empty until then."""
    found = line(engine, name)
    return found if found["state"] == "running" and not found["busy"] and found["trader_version"] != but else {}


def pids(engine: Engine, *names: str) -> list[int]:
    """Process ids of the traders, in this order."""
    return [int(line(engine, name)["pid"]) for name in names]


def gone(pid: int) -> bool:
    """Whether the process has ended, also where nobody has waited for it."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
