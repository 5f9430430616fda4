"""The server of the metrics: its answers, and that no port and no client harms the collector."""

import contextlib
import errno
import http.client
import socket
import socketserver
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.log import Logger
from tickflag.services.collector.metrics import clients
from tickflag.services.collector.metrics import server as metrics_server
from tickflag.services.collector.metrics.server import MetricsServer

WITHIN_S = 20.0


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int, log: RecordedLog | None = None, host: str = "127.0.0.1") -> MetricsServer:
    return MetricsServer(host, port, cast(Logger, log or RecordedLog()))


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with serve(free_port()) as server:
        yield server


def get(url: str) -> tuple[int, str, bytes]:
    """Status, content type and body."""
    try:
        with urllib.request.urlopen(url, timeout=WITHIN_S) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def asked(server: MetricsServer, more_than: int = 0) -> int:
    """The ticket of a waiting request, once there is one."""
    for _ in range(int(WITHIN_S * 100)):
        if (ticket := server.ticket) is not None and ticket > more_than:
            return ticket
        threading.Event().wait(0.01)
    raise AssertionError("nobody asked")


def test_a_request_gets_a_page_that_was_begun_after_it(server: MetricsServer) -> None:
    """A page that was begun before the request does not answer it."""
    first = asked(server)
    server.show(b"before\n", first)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(get, server.url)
        ticket = asked(server, first)
        server.show(b"before\n", first)
        assert server.ticket == ticket
        server.show(b"after\n", ticket)
        assert answer.result(WITHIN_S) == (200, "text/plain; version=0.0.4; charset=utf-8", b"after\n")
    assert server.ticket is None


def test_a_busy_collector_does_not_keep_prometheus_waiting(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the newest page is served; before the first page, the answer is that the collector is busy."""
    monkeypatch.setattr(metrics_server, "WAIT_S", 0.01)
    assert get(server.url)[::2] == (503, b"the collector is busy: ask again\n")
    server.show(b"old\n", 1)
    assert get(server.url)[::2] == (200, b"old\n")


def test_other_paths_are_not_found(server: MetricsServer) -> None:
    """The answer, in plain text, tells where the metrics are; no page is made. A query is no other path."""
    server.show(b"page\n", 1)
    for path in ("/", "/metrics/", "/favicon.ico"):
        url = urllib.parse.urljoin(server.url, path)
        assert get(url) == (404, "text/plain; charset=utf-8", b"the metrics are at /metrics\n")
    assert server.ticket is None
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(get, f"{server.url}?name=x")
        server.show(b"page\n", asked(server))
        assert answer.result(WITHIN_S)[0] == 200


def test_only_get_is_answered(server: MetricsServer) -> None:
    """Any other method is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", urllib.parse.urlsplit(server.url).port or 0, timeout=WITHIN_S)
    with contextlib.closing(connection):
        connection.request("POST", "/metrics", b"x")
        assert connection.getresponse().status == 501


def test_a_client_that_goes_or_says_nothing_harms_nobody(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The next client gets its answer, and nothing is logged."""
    assert metrics_server._Handler.timeout == metrics_server.CLIENT_S
    monkeypatch.setattr(metrics_server._Handler, "timeout", 0.5)
    monkeypatch.setattr(metrics_server, "WAIT_S", 0.01)
    address = ("127.0.0.1", urllib.parse.urlsplit(server.url).port or 0)
    server.show(b"x" * 10_000_000, 1)
    with socket.create_connection(address) as silent, socket.create_connection(address) as deaf:
        deaf.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with socket.create_connection(address) as gone:
            gone.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        assert get(server.url)[0] == 200
        assert silent.recv(1) == b""
    assert capfd.readouterr() == ("", "")


def test_slow_clients_delay_nobody(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many send one byte at a time or read nothing, the next client is answered. Those that take too long are
    hung up, however busy they seem."""
    monkeypatch.setattr(metrics_server, "WAIT_S", 0.01)
    monkeypatch.setattr(clients, "LIFE_S", 3 * WITHIN_S)
    monkeypatch.setattr(metrics_server._Handler, "timeout", 3 * WITHIN_S)
    address = ("127.0.0.1", urllib.parse.urlsplit(server.url).port or 0)
    server.show(b"x" * 10_000_000, 1)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(address)) for _ in range(clients.CLIENTS - 2)]
        for number, one in enumerate(slow):
            one.sendall(b"GET /metrics HTTP/1.0\r\n\r\n" if number % 2 else b"G")
        assert get(server.url)[0] == 200
        monkeypatch.setattr(clients, "LIFE_S", 0.0)
        socket.create_connection(address).close()  # wakes the server
        for one in slow[::2]:
            with contextlib.suppress(OSError):  # the byte meets a connection that was hung up
                while True:
                    one.sendall(b"E")


def test_the_oldest_of_too_many_clients_is_hung_up(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest are served."""
    monkeypatch.setattr(metrics_server, "WAIT_S", 0.01)
    monkeypatch.setattr(metrics_server._Handler, "timeout", 3 * WITHIN_S)
    address = ("127.0.0.1", urllib.parse.urlsplit(server.url).port or 0)
    server.show(b"page\n", 1)
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(address)) for _ in range(2 * clients.CLIENTS)]
        assert get(server.url)[0] == 200
        for one in silent[: clients.CLIENTS]:
            one.settimeout(WITHIN_S)
            assert one.recv(1) == b""
        silent[-1].sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        silent[-1].settimeout(WITHIN_S)
        assert silent[-1].recv(15) == b"HTTP/1.0 200 OK"


def test_a_shortage_of_descriptors_is_waited_for(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The client that cannot be let in keeps no processor busy, and is answered when there are descriptors."""
    server.show(b"page\n", 1)
    monkeypatch.setattr(metrics_server, "WAIT_S", 0.01)
    monkeypatch.setattr(metrics_server, "PAUSE_S", 0.05)
    real, tries = socketserver.TCPServer.get_request, []

    def short(listener: socketserver.TCPServer) -> Any:
        tries.append(time.monotonic())
        if len(tries) < 5:
            raise OSError(errno.EMFILE, "Too many open files")
        return real(listener)

    monkeypatch.setattr(socketserver.TCPServer, "get_request", short)
    assert get(server.url)[0] == 200
    assert tries[4] - tries[0] >= 4 * 0.05
    assert capfd.readouterr() == ("", "")


def test_a_client_waits_where_few_descriptors_are_left(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those are for the engine; the client gets its answer when others are free."""
    server.show(b"page\n", server.ticket or 0)
    monkeypatch.setattr(metrics_server, "PAUSE_S", 0.01)
    answers = [False, False, True]
    monkeypatch.setattr(metrics_server, "keeps_descriptors", lambda _spare: answers.pop(0) if answers else True)
    assert get(urllib.parse.urljoin(server.url, "/"))[0] == 404
    assert not answers


def test_a_port_that_is_taken_is_left_for_the_next(server: MetricsServer) -> None:
    """One warning names both ports."""
    taken = urllib.parse.urlsplit(server.url).port or 0
    log = RecordedLog()
    with serve(taken, log) as second:
        used = urllib.parse.urlsplit(second.url).port or 0
        assert taken < used < taken + metrics_server.PORTS
        second.show(b"second\n", 1)
        assert get(urllib.parse.urljoin(second.url, "/"))[0] == 404
    assert log.lines == [("warning", "metrics port taken, the next one is used", {"taken": taken, "used": used})]


def test_without_any_free_port_there_are_no_metrics(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One warning says what to do; no page is made."""
    monkeypatch.setattr(metrics_server, "PORTS", 1)
    log = RecordedLog()
    with serve(urllib.parse.urlsplit(server.url).port or 0, log) as none:
        assert (none.url, none.ticket) == ("", None)
    ((level, event, fields),) = log.lines
    assert (level, event, fields["reason"]) == ("warning", "no metrics", "Address already in use")
    assert "collector.metrics_port" in fields["do"]


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_at_fault_costs_the_metrics_only(host: str) -> None:
    """The address belongs to another machine, or is none. One warning names it."""
    log = RecordedLog()
    with serve(free_port(), log, host) as none:
        assert none.url == ""
    ((level, event, fields),) = log.lines
    assert (level, event, fields["host"]) == ("warning", "no metrics", host)


def test_port_0_is_off() -> None:
    """Nothing listens, and nothing is logged."""
    log = RecordedLog()
    with serve(0, log) as off:
        assert (off.url, off.ticket) == ("", None)
    assert log.lines == []


def test_the_end_waits_for_no_client(server: MetricsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for a page is answered at once, and the port is free."""
    monkeypatch.setattr(metrics_server, "WAIT_S", 3 * WITHIN_S)
    server.show(b"last\n", 1)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(get, server.url)
        asked(server)
        server.close()
        assert answer.result(WITHIN_S)[::2] == (200, b"last\n")
    with serve(urllib.parse.urlsplit(server.url).port or 0) as again:
        assert again.url == server.url
    assert not [thread for thread in threading.enumerate() if thread.name == "metrics"]


def test_an_address_of_ipv6_can_be_opened() -> None:
    """The URL has the host in brackets."""
    assert metrics_server._host(("::1", 9464, 0, 0)) == "[::1]:9464"
    assert metrics_server._host(("127.0.0.1", 9464)) == "127.0.0.1:9464"
