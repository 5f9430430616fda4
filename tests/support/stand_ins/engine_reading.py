"""Readings of an engine that does not run, for the views of a terminal."""

from typing import Any

from tickflag.common.diagnosis.diagnosis import Diagnosis
from tickflag.services.cli.top.reading import CollectorContact, EngineReading, TraderLine, trader_line

NOON_MS = 1_700_000_000_000.0


def told(name: str, **fields: Any) -> dict[str, Any]:
    """What the collector tells of a trader that is well."""
    return {
        "name": name, "state": "running", "matches": 12, "stale": 0, "processed": 1_000, "skipped": 9_000,
        "cost_ns": 1_200_000, "cpu_ns": 3_000_000, "restarts": 0, "circuits": {"plugin": "closed"}, "error": "",
        "reason": "", "fault": "", "failures": 0, "cycles": 40, "bytes_sent": 100, "bytes_full": 2_000, "pid": 77,
        "owner": "", "trader_version": "1", "source": f"plugins/{name}.py",
    } | fields  # fmt: skip


def line(name: str, entered: int | None = 0, left: int | None = 0, **fields: Any) -> TraderLine:
    moves = None if entered is None else {(name, "entered"): entered, (name, "left"): left or 0}
    return trader_line(told(name, **fields), moves, False)


def signal(seq: int, **fields: Any) -> dict[str, Any]:
    return {
        "seq": seq, "trader": "rsi", "symbol": f"S{seq}", "event": "entered", "score": 71.5,
        "time_ms": int(NOON_MS) - seq, "cycle": 9, "note": "",
    } | fields  # fmt: skip


def reading(traders: int = 3, **fields: Any) -> EngineReading:
    """An engine with so many traders, with everything in it, and texts that try to break the screen."""
    lines = [line(f"trader-{at}", at, at, matches=at * 1_000) for at in range(traders)]
    feed = {
        "state": "running", "symbols": 5_000, "capacity": 8_192, "heartbeat_age_ms": 12.3, "swaps": 1_234_567,
        "updates": 48_000_000, "flagged": 700_000, "pid": 5,
    }  # fmt: skip
    rates = {
        "ticks_per_s": 48_213.0, "flagged_per_cycle": 412.0, "swap_interval_ms": 100.0, "swap_time_us": 24.1,
        "processed_per_s": 4_100.0,
    }  # fmt: skip
    lines_of_buffers = [
        {"channel": channel, "writing": 1, "cycle": 1_234_566, "stamp_a": 1_234_566, "stamp_b": 0,
         "stamp_age_ms": 118.0, "lapped": 2, "catch_ups": 11, "retries": 3}
        for channel in ("ticker", "1m", "15m")
    ]  # fmt: skip
    whole: dict[str, Any] = {
        "where": "main", "time_ms": NOON_MS, "contact": CollectorContact(answered_ms=NOON_MS), "feed": feed,
        "collector": {"uptime_s": 7_300.0, "last_seq": 123_456}, "rates": rates,
        "latency_ms": {"p50": 119.0, "p99": 400.0}, "saving": {"value": 0.931, "low": 0.928, "high": 0.934},
        "sums": {"efficiency": 0.971, "bytes_saved": 48_200_000, "bytes_full": 50_000_000}, "traders": lines,
        "buffers": lines_of_buffers,
        "recent": [signal(at, note="a note " * 20, symbol="币安人生USDT") for at in range(60)],
    }  # fmt: skip
    return EngineReading(**(whole | fields))


def trouble(count: int) -> list[Diagnosis]:
    return [
        Diagnosis("traders", "fail", f"trader-{at} is failing (ValueError: {'x' * 90})", f"`tickflag logs trader-{at}`")
        for at in range(count)
    ]
