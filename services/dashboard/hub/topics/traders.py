"""The topics `traders` and `trader`: what supervisor and collector tell of the traders, side by side."""

import os
from collections import deque
from pathlib import Path
from typing import Any

from tickflag.common.diagnosis.engine import why
from tickflag.common.diagnosis.totals import ratio
from tickflag.common.runtime import Runtime
from tickflag.common.units import NS_PER_MS
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.refusals import NotFound
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.overview import batch_mode
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic

LOG_BYTES = 64_000
LOG_LINES = 500


def _traders(arguments: TopicArguments) -> Ready:
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        return Answer({"traders": listed(sight), "supervisor": _supervisor(sight)})

    return answer


def _trader(arguments: TopicArguments) -> Ready:
    name = arguments.text("trader")
    arguments.end()

    def answer(sight: Sight, trusted: bool) -> Answer:
        traders = listed(sight)
        found = next((trader for trader in traders if name in (trader["name"], trader.get("label"))), None)
        if found is None:
            raise NotFound(f"no trader {name!r}: known are {', '.join(trader['name'] for trader in traders) or 'none'}")
        circuits = sight.need("collector", "circuits", trader=found["name"])
        errors = sight.need("collector", "errors", trader=found["name"])["errors"]
        if not trusted:
            errors = [{key: value for key, value in error.items() if key != "stack"} for error in errors]
        document = {
            **found,
            "circuit_details": {one["circuit"]: one for one in circuits},
            "errors": errors,
            "log": log_end(sight.runtime, found["log"]) if trusted else None,
        }
        return Answer(document)

    return answer


def listed(sight: Sight) -> list[dict[str, Any]]:
    """Every trader as collector and supervisor see it, by name. Raises what a collector that is silent leads to."""
    collected = sight.need("collector", "status")["traders"]
    supervised = {trader["name"]: trader for trader in sight.ask("trader", "traders") or []}
    counts = sight.collector.table.counts()
    batched = batch_mode(sight)
    names = {trader["name"] for trader in collected}
    lines = [
        *({**supervised.get(trader["name"], {}), **trader} for trader in collected),
        *({**_UNKNOWN, **trader} for name, trader in supervised.items() if name not in names),
    ]
    return sorted((_line(line, counts, batched, sight) for line in lines), key=lambda line: str(line["name"]))


_UNKNOWN: dict[str, Any] = {
    "processed": 0, "skipped": 0, "cpu_ns": 0, "cost_ns": 0, "cost_cpu_ns": 0, "matches": 0, "stale": 0, "cycles": 0,
    "fast": 0, "retried": 0, "batched": 0, "failures": 0, "error": "", "circuits": {}, "fault": "", "age_ms": None,
    "bytes_sent": 0, "bytes_full": 0, "bytes_wire": 0, "cycle": 0, "incarnation": 0, "synced": False,
}  # fmt: skip
"""What the collector tells of a trader that it has not heard of."""


def _line(line: dict[str, Any], counts: dict[str, int], batched: list[str], sight: Sight) -> dict[str, Any]:
    name, processed, skipped = line["name"], line["processed"], line["skipped"]
    return {
        **line,
        "label": line.get("label", name),
        "busy": line.get("busy", False),
        "restarted": sight.figures.restarts.recent(name, sight.now_s),
        "enabled": line["state"] != "disabled",
        "why": why(line),
        "cycle_ms": line["cost_ns"] / NS_PER_MS if line["cost_ns"] else None,
        "ns_per_symbol": ratio(line["cpu_ns"], processed),
        "efficiency": ratio(skipped, processed + skipped),
        "batch_mode": name in batched,
        "matches": counts.get(name, 0) if sight.collector.ready else line["matches"],
        "catch_ups": line["cycles"] - line["fast"],
    }


def _supervisor(sight: Sight) -> dict[str, Any]:
    found = sight.ask("trader", "supervisor")
    error = sight.error("trader", "supervisor")
    if found is None:
        return {"state": "silent" if error else "unknown", "error": str(error or "")}
    return {"state": "running", "error": "", **found}


def log_end(runtime: Runtime, stem: str) -> list[str]:
    """The last lines of a trader's log; none where it has written nothing."""
    if not stem or Path(stem).name != stem:
        return []
    try:
        with (runtime.logs / f"{stem}.log").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            lines = deque(file, maxlen=LOG_LINES)
    except OSError:
        return []
    if size > LOG_BYTES and len(lines) < LOG_LINES and lines:
        lines.popleft()  # its beginning is cut off
    return [line.decode(errors="replace").rstrip("\r\n") for line in lines]


TOPICS = (
    Topic("traders", _traders, 1.0, follows=True),
    Topic("trader", _trader, 1.0, follows=True, private=True),
)
