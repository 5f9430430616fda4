"""The pages on wire and segment agree with the code: messages, sockets, requests, regions and fields."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import pytest
import zmq

from tests.support.documents.markdown import Row, code, plain, section, sections
from tests.support.documents.pages import page
from tests.support.documents.reference import wire_rows
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.clock import SystemClock
from tickflag.common.log import Logger
from tickflag.common.segment import layout
from tickflag.common.segment.layout import DEBUG_ENTRY, HEADER, OPEN_CANDLE, TICKER
from tickflag.common.settings import load
from tickflag.common.units import NS_PER_MS, NS_PER_S, NS_PER_US
from tickflag.common.wire import sockets
from tickflag.common.wire.messages import (
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
from tickflag.services.collector.core import CollectorCore
from tickflag.services.collector.journal.journal import Journal

WIRE, SEGMENT = page("wire.md"), page("segment-layout.md")

RECORDS: tuple[type[Record], ...] = (*get_args(AnyMessage), RosterEntry, Signal, Notice)
RESULTS = (Snapshot, Delta, Heartbeat)
HEAD = len({*Progress.model_fields, "kind"})
"""Number of fields that all three results share."""


def _title(record: type[Record]) -> str:
    kind = record.model_fields.get("kind")
    return str(kind.default) if kind else record.__name__


def _without_meaning(rows: list[Row]) -> list[Row]:
    return [{name: plain(cell) for name, cell in row.items() if name != "Meaning"} for row in rows]


# --- messages


@pytest.mark.parametrize("record", RECORDS, ids=_title)
def test_messages_are_documented(record: type[Record]) -> None:
    """The page has each message's fields in their order on the wire, with type, unit and default."""
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
    """Every section with a table of fields belongs to a message."""
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
    roles = [value for value in vars(sockets).values() if isinstance(value, sockets.SocketRole)]
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
    """The table has both ends of each socket, with the longest frame."""
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
    """The tables have every request. For an unknown one, the collector lists them."""
    settings = load(collector={"journal": str(tmp_path / "journal.sqlite")})
    with Journal(":memory:") as journal:
        core = CollectorCore(settings, journal, SystemClock(), cast(Logger, RecordedLog()), dict)
        answer = core.commands.answer(Request(id=1, what="?")).error
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
    """The page has each field with its offset and type, in order."""
    documented = [(plain(row["Field"]), row["Offset"], plain(row["Type"])) for row in _rows(title, "Field")]
    assert documented == list(_fields(dtype))


def _fields(dtype: np.dtype[Any]) -> Iterator[tuple[str, str, str]]:
    assert dtype.fields is not None
    for name, (kind, offset, *_) in dtype.fields.items():
        count = f" x {kind.shape[0]}" if kind.shape else ""
        yield name, str(offset), kind.base.str.lstrip("<|") + count


def test_counters_are_documented() -> None:
    """The page has each counter with its word."""
    documented = {plain(row["Counter"]): int(row["Word"]) for row in _rows("Living words", "Counter")}
    assert documented == layout.COUNTER


def test_histograms_are_documented() -> None:
    """The page has each histogram with its first word and its bounds."""
    rows = _rows("Living words", "Histogram")
    assert {plain(row["Histogram"]): int(row["Word"]) for row in rows} == layout.HISTOGRAM
    for row in rows:
        assert tuple(_bounds_ns(row["Bounds"])) == layout.HISTOGRAMS[plain(row["Histogram"])]


def _bounds_ns(text: str) -> Iterator[int]:
    """The times of a list as `5, 10 µs; 1 s`."""
    for part in text.split("; "):
        numbers, unit = part.rsplit(" ", 1)
        for number in numbers.split(", "):
            yield int(number) * {"µs": NS_PER_US, "ms": NS_PER_MS, "s": NS_PER_S}[unit]
