"""Forged messages: of every kind on the wire, with values that no program of ours writes."""

from collections.abc import Iterator
from typing import Any

import msgpack

from tests.support.processes.hostile import nested
from tickflag.common.errors import MessageError
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import (
    Audit,
    Control,
    Delta,
    Fault,
    Heartbeat,
    Message,
    Notice,
    Notices,
    Reply,
    Request,
    Roster,
    RosterEntry,
    Signal,
    Signals,
    Snapshot,
    SwapEvent,
)


def _genuine(trader: str) -> list[Message]:
    """One of each kind."""
    progress: dict[str, Any] = {"trader": trader, "incarnation": 1, "seq": 1, "cycle": 1, "time_ms": 1}
    of_cycle: dict[str, Any] = {"trader": trader, "incarnation": 1, "cycle": 1, "time_ms": 1}
    signal = Signal(seq=1, trader=trader, symbol="A", event="entered", score=1.0, time_ms=1, cycle=1)
    notice = Notice(seq=1, time_ms=1, trader=trader, what="w", before="b", after="a")
    entry = RosterEntry(name=trader, state="running")
    return [
        Snapshot(**progress, matches={"A": 1.0}),
        Delta(**progress, entered={"A": 1.0}),
        Heartbeat(**progress, pid=1, state="running"),
        Fault(**of_cycle, what="raise", text="t"),
        Audit(**of_cycle, symbols=1),
        Roster(pid=1, time_ms=1, traders=[entry]),
        Control(state_version=1, time_ms=1),
        Signals(signals=[signal], last_seq=1),
        Notices(notices=[notice], last_seq=1),
        Request(id=1, what="?"),
        Reply(id=1),
        SwapEvent(
            channel="c", generation=1, cycle=1, buffer="A", segment="s", flagged=1, symbols=1, oldest_ns=1, time_ns=1
        ),
    ]


HOSTILE: list[Any] = [
    None, True, -1, 1.5, float("nan"), float("inf"), -(2**63), "", "x" * 9_000, "\0\x1b[2J\n", b"\xff", [], {},
    nested(990), ["x" * 200], [None] * 20_000, {"": 1.0}, {"x" * 200: 1.0}, {"A": float("nan")}, {"A": "\x1b[2J"},
    [["a"]], msgpack.ExtType(5, b"x"),
]  # fmt: skip
RESULTS = ("snapshot", "delta", "heartbeat", "fault", "audit", "roster")


def forged(trader: str) -> Iterator[bytes]:
    """Each kind with each hostile value in each field, cut short, of another version, and whole where it is not for
    the collector's results; progress of a worker with incarnations that are none. None may change anything."""
    for message in _genuine(trader):
        array = message.to_array()
        for place in range(len(array)):
            for value in HOSTILE:
                frame: bytes = msgpack.packb([*array[:place], value, *array[place + 1 :]])
                if _refused(frame):
                    yield frame
        yield from (msgpack.packb(array[:length]) for length in range(3))
        yield msgpack.packb([array[0], 2, *array[2:]])
        if array[0] not in RESULTS:
            yield msgpack.packb(array)
        if "incarnation" in message.wire_fields:
            place = message.wire_fields.index("incarnation")
            for number in (0, 2**62, 2**64 - 1):
                yield msgpack.packb([*array[:place], number, *array[place + 1 :]])


def _refused(frame: bytes) -> bool:
    """Whether no program takes it for a message; what is one, though an odd one, is the sender's right."""
    try:
        decode(frame)
    except MessageError:
        return True
    return False
