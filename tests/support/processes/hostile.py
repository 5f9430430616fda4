"""Hostile requests: what nobody should send to a command socket, and a ROUTER that receives them."""

from collections.abc import Iterator
from typing import Any

import msgpack
import zmq
from hypothesis import strategies as st

from tickflag.common.wire.codec import MAX_REQUEST_BYTES, decode_as
from tickflag.common.wire.messages import Reply

COLLECTOR: dict[str, dict[str, Any]] = {
    "status": {},
    "traders": {},
    "matches": {"trader": "breakout"},
    "snapshot": {},
    "signals": {"since": 0, "limit": 5},
    "control": {},
    "resync": {"trader": "breakout"},
    "flags.list": {},
    "flags.set": {"flag": "audit", "value": 25, "arms": [], "description": "x", "new": False, "who": "w"},
    "flags.force": {"flag": "audit", "trader": "breakout", "value": True, "who": "w"},
    "flags.kill": {"flag": "audit", "on": True, "who": "w"},
    "flags.ramp": {"flag": "audit", "steps": [[5, 1, False]], "who": "w"},
    "flags.approve": {"flag": "audit", "who": "w"},
    "flags.halt": {"flag": "audit", "who": "w"},
    "flags.rollback": {"flag": "audit", "who": "w"},
    "flags.remove": {"flag": "audit", "who": "w"},
    "flags.explain": {"flag": "audit", "name": "breakout", "owner": "o"},
    "flags.history": {"flag": "audit", "limit": 5},
}
"""Command -> its arguments."""
FEED: dict[str, dict[str, Any]] = {"status": {}, "swap": {}, "debug": {"on": True}, "burst": {"symbols": 2}}
SUPERVISOR: dict[str, dict[str, Any]] = {
    "supervisor": {},
    "traders": {},
    **{what: {"trader": "by-array"} for what in ("trader", "start", "stop", "restart", "enable", "disable")},
}


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


WRONG: list[Any] = [
    [], {}, b"", b"\xff" * 10, 1.5, float("nan"), float("inf"), -1, 2**63, 2**64 - 1, -(2**63), "", "x" * 5_000,
    "\0\x1b[2J\n", nested(990), {"a": {"b": nested(50)}}, ["x"] * 10_000, msgpack.ExtType(5, b"x"),
    msgpack.Timestamp(1, 1), {"trader": "breakout"}, ["breakout"], [True],
]  # fmt: skip
"""Values that hardly any command accepts."""


def request(what: Any, arguments: Any, number: Any = 1) -> bytes:
    """The frame of a request, whatever it holds."""
    frame: bytes = msgpack.packb(["request", 1, number, what, arguments])
    return frame


def of_other_types(commands: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests of each command: one with a value of another type for each argument, one without it, one with too
    many."""
    for what, arguments in commands.items():
        for name, value in arguments.items():
            for wrong in WRONG:
                if not _alike(wrong, value):
                    yield what, {**arguments, name: wrong}
            if name in ("trader", "flag", "name", "on", "symbols", "steps") and what not in OPTIONAL.get(name, ()):
                yield what, {key: other for key, other in arguments.items() if key != name}
        yield what, {**arguments, "surplus": 1}


OPTIONAL = {"flag": ("flags.history",), "on": ("flags.kill",)}


def _alike(wrong: Any, value: Any) -> bool:
    """Whether the value may be right after all: the only such number is 1.5, which is a percentage."""
    return wrong == 1.5 if value == 25 else isinstance(wrong, str | list) and isinstance(wrong, type(value))


DAMAGED: list[bytes] = [
    b"", b"\0", b"\xc1", b"\x90", b"\x28\xb5\x2f\xfd", b"\x28\xb5\x2f\xfd\x20\xff", b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff\x01", b"\x91" * 5_000, b"\x81" * 5_000, b"\x90" * (1 << 20),
    request("status", nested(900)), request("status", {}, -1), request("status", {}, "1"),
    request("status", {}, 2**64 - 1), request("", {}), request("x" * 200, {}), request(5, {}), b"\x95\xa7request",
    request("status", {"": 1}), request("status", {"x" * 200: 1}), request("status", {b"x": 1}), request("?", {}),
    msgpack.packb(["request", 2, 1, "status", {}]), msgpack.packb(["reply", 1, 1, "", None]), msgpack.packb("status"),
    msgpack.packb(["request"]), msgpack.packb([["request"]]), bytes(MAX_REQUEST_BYTES + 1),
    request("status", {"x": bytes(2 * MAX_REQUEST_BYTES)}),
]  # fmt: skip
"""Frames that are no request, or a request that no service carries out."""


@st.composite
def mutated(draw: st.DrawFn, commands: dict[str, dict[str, Any]]) -> bytes:
    """A request with some bytes removed, changed or inserted."""
    what = draw(st.sampled_from(sorted(commands)))
    frame = bytearray(request(what, commands[what]))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(frame) - 1)))
        match draw(st.sampled_from(["cut", "change", "insert", "drop"])):
            case "cut":
                del frame[at:]
            case "change" if frame:
                frame[at] = draw(st.integers(0, 255))
            case "insert":
                frame[at:at] = draw(st.binary(max_size=5))
            case "drop":
                del frame[at : at + 1]
    return bytes(frame)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=20), st.binary(max_size=9)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
"""Whatever msgpack can express."""


@st.composite
def made_up(draw: st.DrawFn, commands: dict[str, dict[str, Any]]) -> bytes:
    """A request with values of all kinds for arguments that the command has."""
    what = draw(st.sampled_from(sorted(commands)))
    arguments = dict(commands[what])
    for name in draw(st.lists(st.sampled_from([*sorted(arguments), "surplus"]), max_size=3)):
        arguments[name] = draw(values | st.sampled_from(WRONG))
    return request(what, arguments)


def frames(commands: dict[str, dict[str, Any]]) -> st.SearchStrategy[bytes]:
    """Frames of all these sorts."""
    return st.binary(max_size=60) | st.sampled_from(DAMAGED) | mutated(commands) | made_up(commands)


class FakeFrame:
    """Stands in for a received frame."""

    def __init__(self, content: bytes, key: str = "") -> None:
        self.bytes = content
        self._key = key

    def get(self, _name: str) -> str:
        return self._key


class FakeRouter:
    """Stands in for a ROUTER with one client. `waiting` holds what came, `sent` what went out."""

    def __init__(self) -> None:
        self.waiting: list[list[FakeFrame]] = []
        self.sent: list[list[bytes]] = []

    def put(self, *parts: bytes, key: str = "") -> None:
        self.waiting.append([FakeFrame(part, key) for part in (b"client", *parts)])

    def recv_multipart(self, flags: int, *, copy: bool) -> list[FakeFrame]:
        assert flags == zmq.NOBLOCK
        assert not copy
        if not self.waiting:
            raise zmq.Again
        return self.waiting.pop(0)

    def send_multipart(self, parts: list[bytes], flags: int) -> None:
        assert flags == zmq.NOBLOCK
        self.sent.append(parts)

    def take(self) -> list[Reply]:
        """The replies since the last call."""
        replies = [decode_as(Reply, parts[-1]) for parts in self.sent]
        self.sent.clear()
        return replies
