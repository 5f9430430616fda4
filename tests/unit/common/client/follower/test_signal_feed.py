"""SignalFeed: messages as they come, and where those of another machine are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.support.harnesses.keyring import Keyring
from tests.support.processes.folders import runtime_folder
from tests.support.processes.waiting import wait_until
from tickflag.common.client.follower.signal_feed import SignalFeed
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Control, Signals
from tickflag.common.wire.sockets import SIGNALS_OUT, Context, open_socket


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


@pytest.fixture
def context() -> Iterator[Context]:
    context: Context = zmq.Context()
    yield context
    context.destroy(0)


def test_what_is_no_signal_and_no_notice_is_left_out(runtime: Runtime, context: Context) -> None:
    """Damaged frames and other messages change nothing."""
    feed = SignalFeed(context, runtime, None)
    publisher = open_socket(context, runtime, SIGNALS_OUT)
    heartbeat = Signals(signals=[], last_seq=1)

    def joined() -> bool:
        publisher.send(encode(heartbeat))
        return bool(feed.receive())

    wait_until(joined)
    publisher.send(b"damaged")
    publisher.send(encode(Control(state_version=1, time_ms=1)))
    publisher.send(encode(Signals(signals=[], last_seq=2)))
    found = []
    wait_until(lambda: found.append(feed.receive()) or found[-1] == Signals(signals=[], last_seq=2))  # type: ignore[func-returns-value]
    assert [one for one in found if one not in (heartbeat, False)] == [True, True, Signals(signals=[], last_seq=2)]
    feed.check()
    feed.collector_away()
    assert not feed.wants_address
    feed.close()
    publisher.close()


def test_an_address_is_told_by_the_collector(runtime: Runtime, context: Context, tmp_path: Path) -> None:
    """Without one there is no socket. The same address leaves the connection alone, another one replaces it, and a port
    that is taken for the moment changes nothing."""
    keyring = Keyring(tmp_path)
    feed = SignalFeed(context, runtime, keyring.remote("tcp://127.0.0.1:7", "ann"))
    wanted = [feed.wants_address]
    assert (feed.sockets, feed.receive()) == ([], False)
    with pytest.raises(TickflagError, match=r"tcp://127.0.0.1:7 publishes no signals"):
        feed.connect({})
    feed.collector_away()
    wanted.append(feed.wants_address)
    feed.connect({"remote_signals": "tcp://0.0.0.0:8"})
    wanted.append(feed.wants_address)
    assert wanted == [True, True, False]
    first = feed.sockets
    for status in ({"remote_signals": "tcp://0.0.0.0:8"}, {"remote_signals": ""}):
        feed.collector_away()
        feed.connect(status)
        assert feed.sockets == first
    feed.connect({"remote_signals": "tcp://0.0.0.0:9"})
    assert all(one.closed for one in first)
    assert [one.closed for one in feed.sockets] == [False, False]
    feed.check()
    feed.close()
    SignalFeed(context, runtime, keyring.remote("tcp://127.0.0.1:7", "ann")).close()
