"""The pages on wire and segment have every message, socket, request, region and field as the code has it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
import zmq

from common import layout, sockets
from common.blocks import RecoveryBlock
from common.clock import SystemClock
from common.layout import DEBUG_ENTRY, HEADER, OPEN_CANDLE, TICKER
from common.log import Logger
from common.messages import (
    AnyMessage,
    Delta,
    Heartbeat,
    Notice,
    Progress,
    Record,
    Request,
    RosterEntry,
    Signal,
    Snapshot,
)
from services.collector.commands import Commands
from services.collector.control import ControlState
from services.collector.experimentdesk import ExperimentDesk
from services.collector.flagdesk import FlagDesk
from services.collector.flagstore import FlagStore
from services.collector.journal import Journal
from services.collector.records import Records
from services.collector.recoverydesk import RecoveryDesk
from services.collector.views import Views
from tests.support.markdown import Row, code, plain, section, sections
from tests.support.pages import page
from tests.support.recorded_log import RecordedLog
from tests.support.reference import wire_rows

WIRE, SEGMENT = page("wire.md"), page("segment-layout.md")

RECORDS: tuple[type[Record], ...] = (*get_args(AnyMessage), RosterEntry, Signal, Notice)
RESULTS = (Snapshot, Delta, Heartbeat)
HEAD = len({*Progress.model_fields, "kind"})
"""Places that all three results share."""


def _title(record: type[Record]) -> str:
    kind = record.model_fields.get("kind")
    return str(kind.default) if kind else record.__name__


def _without_meaning(rows: list[Row]) -> list[Row]:
    return [{name: plain(cell) for name, cell in row.items() if name != "Meaning"} for row in rows]


# --- messages


@pytest.mark.parametrize("record", RECORDS, ids=_title)
def test_messages_are_documented(record: type[Record]) -> None:
    """Each message's fields stand in the page in their order on the wire, with type, unit and default."""
    first = HEAD if record in RESULTS else 0
    assert _without_meaning(section(WIRE, _title(record)).rows) == wire_rows(record, first)


@pytest.mark.parametrize("record", RESULTS, ids=_title)
def test_the_head_of_results_is_documented(record: type[Record]) -> None:
    """Snapshot, delta and heartbeat begin with the same fields."""
    documented = _without_meaning(section(WIRE, "snapshot, delta, heartbeat").rows)
    expected = wire_rows(record)[:HEAD]
    assert documented.pop(0)["Type"] == " or ".join(_title(kind) for kind in RESULTS)
    assert documented == expected[1:]


def test_no_other_message_is_documented() -> None:
    """Every section with a table of fields is a message's."""
    titles = {part.title for part in sections(WIRE) if any("Place" in row for row in part.rows)}
    assert titles == {"snapshot, delta, heartbeat", *(_title(record) for record in RECORDS)}


# --- sockets and requests


def test_sockets_are_documented() -> None:
    """The table has both ends of every socket, with type, side, high-water mark and linger."""
    documented = {
        (plain(row["File"]), row["Type"], row["Side"], row["High-water mark"], row["Linger ms"])
        for row in section(WIRE, "Sockets").rows
        if "File" in row
    }
    roles = [value for value in vars(sockets).values() if isinstance(value, sockets.Role)]
    assert documented == {
        (
            role.endpoint,
            zmq.SocketType(role.kind).name,
            "binds" if role.binds else "connects",
            f"{role.high_water:,}" + (", newest only" if role.conflate else ""),
            str(role.linger_ms),
        )
        for role in roles
    }


def test_sockets_to_other_machines_are_documented() -> None:
    """The table has both ends of each, with the longest frame."""
    documented = {
        (
            plain(row["Setting"]),
            row["Type"],
            row["Side"],
            row["High-water mark"],
            row["Linger ms"],
            row["Longest frame"],
        )
        for row in section(WIRE, "Sockets").rows
        if "Setting" in row
    }
    roles = [value for value in vars(sockets).values() if isinstance(value, sockets.TcpRole)]
    assert documented == {
        (
            role.setting,
            zmq.SocketType(role.kind).name,
            "binds" if role.serves else "connects",
            f"{role.high_water:,}",
            str(role.linger_ms),
            f"{role.frame_bytes:,}",
        )
        for role in roles
    }


def test_requests_to_the_collector_are_documented(tmp_path: Path) -> None:
    """The tables have every request; the collector names them when it is asked for another one."""
    control, clock = ControlState(), SystemClock()
    views = Views(control, 1)
    with Journal(":memory:") as journal:
        log = cast(Logger, RecordedLog())
        flags = FlagDesk(FlagStore(tmp_path / "flags.json"), views, control, clock, log, {})
        limits, records = RecoveryBlock(), Records(journal)  # type: ignore[call-arg] # Field's first argument is the default
        recovery = RecoveryDesk(limits, records, control, clock, log, lambda _trader, _reason: ())
        experiments = ExperimentDesk(records, clock, log)
        others = {**flags.commands, **recovery.commands, **experiments.commands}
        commands = Commands(views, journal, control, clock, dict, others)
        answer = commands.answer(Request(id=1, what="?")).error
    names = [code(row["Request"])[0] for row in section(WIRE, "Requests to the collector").rows]
    assert answer.endswith(f"use one of {', '.join(names)}")


# --- segment


def _rows(title: str, column: str) -> list[Row]:
    return [row for row in section(SEGMENT, title).rows if column in row]


def test_regions_are_documented() -> None:
    """Offsets and sizes of the default segment are those of the layout."""
    plan = layout.plan(1024, 100, (60, 300, 900, 3600))
    ends = [*plan.offsets[1:], plan.total_bytes]
    documented = [(plain(row["Region"]), row["Offset"], row["Bytes"]) for row in _rows("Regions", "Region")]
    regions = zip(layout.REGIONS, plan.offsets, ends, strict=True)
    assert documented == [(name, f"{at:,}", f"{end - at:,}") for name, at, end in regions]
    assert f"{plan.total_bytes:,} bytes" in SEGMENT


@pytest.mark.parametrize(
    ("title", "dtype"),
    [("Header", HEADER), ("Ticker row", TICKER), ("Forming candle", OPEN_CANDLE), ("Debug entry", DEBUG_ENTRY)],
)
def test_records_are_documented(title: str, dtype: np.dtype[Any]) -> None:
    """Each field stands in the page with its offset and type, in its order."""
    documented = [(plain(row["Field"]), row["Offset"], plain(row["Type"])) for row in _rows(title, "Field")]
    assert documented == list(_fields(dtype))


def _fields(dtype: np.dtype[Any]) -> Iterator[tuple[str, str, str]]:
    assert dtype.fields is not None
    for name, (kind, offset, *_) in dtype.fields.items():
        count = f" x {kind.shape[0]}" if kind.shape else ""
        yield name, str(offset), kind.base.str.lstrip("<|") + count


def test_counters_are_documented() -> None:
    """Each counter stands in the page with its word."""
    documented = {plain(row["Counter"]): int(row["Word"]) for row in _rows("Living words", "Counter")}
    assert documented == layout.COUNTER
