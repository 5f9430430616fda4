"""OpenConnections that stand still are ended."""

from typing import Any

import pytest

from tickflag.services.dashboard.web.connections import SILENT_S, STUCK_S, OpenConnections


class TransportStandIn:
    def __init__(self, waiting: int = 0, peer: tuple[Any, ...] = ("127.0.0.1", 1)) -> None:
        self.waiting, self.peer, self.aborted = waiting, peer, False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def get_extra_info(self, _name: str) -> tuple[Any, ...]:
        return self.peer

    def abort(self) -> None:
        self.aborted = True


class ProtocolStandIn:
    """Of a WebSocket: it has no cycle."""

    def __init__(self, transport: TransportStandIn | None) -> None:
        self.transport = transport


class RequestStandIn(ProtocolStandIn):
    cycle: object | None = None


def test_a_peer_that_takes_nothing() -> None:
    """It is ended once nothing was taken for some seconds; one that takes a little is not."""
    stuck, slow, idle = TransportStandIn(70_000), TransportStandIn(70_000), TransportStandIn()
    connections = OpenConnections([ProtocolStandIn(one) for one in (stuck, slow, idle)])
    for second in range(int(STUCK_S) + 1):
        assert not stuck.aborted
        slow.waiting -= 1
        connections.look(float(second))
    assert stuck.aborted
    assert not slow.aborted
    assert not idle.aborted


@pytest.mark.parametrize("asked", [False, True])
def test_a_peer_that_asks_nothing(asked: bool) -> None:
    """A connection without a request is ended; one that waits for its next request is the server's own business."""
    transport = TransportStandIn()
    connection = RequestStandIn(transport)
    connection.cycle = object() if asked else None
    connections = OpenConnections([connection])
    connections.look(0.0)
    connections.look(SILENT_S - 0.1)
    assert not transport.aborted
    connections.look(SILENT_S)
    assert transport.aborted is not asked


def test_those_that_are_gone_are_forgotten() -> None:
    """Nothing of a closed connection is kept; one that is not made yet is left alone."""
    there: list[Any] = [ProtocolStandIn(TransportStandIn(1)), ProtocolStandIn(None)]
    connections = OpenConnections(there)
    connections.look(0.0)
    assert len(connections._seen) == 1
    there.clear()
    connections.look(1.0)
    assert not connections._seen


def test_one_peer_is_hung_up() -> None:
    """That one, and no other."""
    mine, other = TransportStandIn(peer=("::1", 1, 0, 0)), TransportStandIn(peer=("::1", 2, 0, 0))
    connections = OpenConnections([ProtocolStandIn(mine), ProtocolStandIn(other), ProtocolStandIn(None)])
    connections.hang_up(("::1", 1))
    connections.hang_up(None)
    assert (mine.aborted, other.aborted) == (True, False)
