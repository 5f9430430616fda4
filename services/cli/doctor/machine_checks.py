"""Checks of this machine: Python, packages, clocks, compiled kernels. They change nothing."""

import importlib
import platform
import sys
import time
from collections.abc import Iterator

from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.common.units import NS_PER_MS, NS_PER_S
from tickflag.services.cli.output import duration

PACKAGES = (
    "zmq", "numpy", "numba", "msgpack", "pluggy", "pydantic", "pydantic_settings", "honcho", "structlog", "zstandard",
    "prometheus_client", "click", "rich", "mmh3",
)  # fmt: skip
OLDEST_PYTHON = (3, 11)
OLDEST_CLOCK_S = 1_735_689_600  # the beginning of 2025: a clock that shows an earlier time was never set


def python() -> Iterator[Diagnosis]:
    """Whether the interpreter is new enough."""
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if sys.version_info < OLDEST_PYTHON:
        yield Diagnosis("python", "fail", found, f"use {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    else:
        yield Diagnosis("python", "ok", found)


def packages() -> Iterator[Diagnosis]:
    """Whether each package that the engine needs can be imported."""
    missing = False
    for package in PACKAGES:
        try:
            importlib.import_module(package)
        except Exception as error:  # noqa: BLE001 - a broken package may raise anything when it is imported
            missing = True
            yield Diagnosis("packages", "fail", f"{package} does not import: {error}", "install tickflag again")
    if not missing:
        yield Diagnosis("packages", "ok", f"all {len(PACKAGES)} import")


def clocks() -> Iterator[Diagnosis]:
    """Whether the wall clock was set, and whether the monotonic clock is fine enough."""
    resolution_ns = time.get_clock_info("monotonic").resolution * NS_PER_S
    if time.time() < OLDEST_CLOCK_S:
        yield Diagnosis(
            "clock", "fail", f"it shows {time.strftime('%Y-%m-%d', time.gmtime())}", "set it: candles follow it"
        )
    elif resolution_ns > NS_PER_MS:
        yield Diagnosis("clock", "warn", f"the monotonic clock moves in steps of {duration(resolution_ns / NS_PER_MS)}")
    else:
        yield Diagnosis("clock", "ok", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def kernels() -> Iterator[Diagnosis]:
    """Whether the kernels are compiled."""
    from tickflag.common.jit import cache_folder

    cache = cache_folder()
    cold = [role for role in ("feed", "trader") if not (cache / f"{role}.warm").exists()]
    if cold:
        yield Diagnosis("kernels", "warn", f"not compiled yet for {' and '.join(cold)}", "the first start takes longer")
    else:
        yield Diagnosis("kernels", "ok", f"compiled, in {cache}")
