"""Where the dashboard listens."""

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes.certificates import self_signed
from tests.support.stand_ins.recorded_log import RecordedLog
from tickflag.common.errors import TickflagError
from tickflag.common.settings_schema.dashboard import DashboardBlock
from tickflag.services.dashboard.web import address
from tickflag.services.dashboard.web.address import ListeningPlace, open_place


def opened(log: Any = None, **block: Any) -> ListeningPlace | None:
    chosen: Any = log or RecordedLog()
    return open_place(DashboardBlock(**block), chosen)


@pytest.fixture
def taken() -> Any:
    """A port at which another program listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_is_no_trouble(taken: int) -> None:
    """The next free one is used, and the log names both."""
    log = RecordedLog()
    place = opened(log, port=taken)
    assert place is not None
    with place.listener:
        used = place.listener.getsockname()[1]
        assert used > taken
        assert place == (place.listener, f"http://127.0.0.1:{used}", True, None, ("127.0.0.1",))
        fields = {"taken": taken, "used": used}
        assert log.lines == [("warning", "dashboard port taken, the next one is used", fields)]


def test_no_port_is_free(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One warning names the settings."""
    monkeypatch.setattr(address, "PORTS", 1)
    log = RecordedLog()
    assert opened(log, port=taken) is None
    ((level, event, fields),) = log.lines
    assert (level, event, fields["do"]) == ("warning", "no dashboard", "set `dashboard.host` and `dashboard.port`")


def test_an_address_of_another_machine(tmp_path: Path) -> None:
    """A number is one warning, as a port is; a name that is unknown is a mistake."""
    files = self_signed(tmp_path)
    log = RecordedLog()
    assert opened(log, host="203.0.113.7", tls_cert=files.certificate, tls_key=files.key) is None
    assert log.events() == ["no dashboard"]
    with pytest.raises(TickflagError, match=r"setting `dashboard\.host`: 'no\.such\.host\.invalid' is no address"):
        opened(host="no.such.host.invalid")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_get_in_over_tls_only(host: str) -> None:
    """Without a certificate the start is refused in one line that names the settings."""
    with pytest.raises(TickflagError) as error:
        opened(host=host)
    assert str(error.value) == (
        f"setting `dashboard.host`: {host} opens the dashboard to other machines, which needs TLS: set "
        "`dashboard.tls_cert` and `dashboard.tls_key`, or 127.0.0.1"
    )


def test_with_tls_it_listens_everywhere(tmp_path: Path, taken: int) -> None:
    """The address names this machine, whose name browsers may use."""
    files = self_signed(tmp_path)
    place = opened(host="0.0.0.0", port=taken, tls_cert=files.certificate, tls_key=files.key)
    assert place is not None
    with place.listener:
        port = place.listener.getsockname()[1]
        assert place.url == f"https://{socket.gethostname()}:{port}"
        assert not place.loopback
        assert place.tls is not None
        assert socket.gethostname() in place.names


def test_an_address_of_ipv6(taken: int) -> None:
    """It stands in brackets."""
    try:
        place = opened(host="::1", port=taken)
    except TickflagError:
        pytest.skip("this machine has no IPv6")
    if place is None:
        pytest.skip("this machine has no IPv6")
    with place.listener:
        assert place.url == f"http://[::1]:{place.listener.getsockname()[1]}"
        assert place.loopback


def test_faults_of_the_certificate(tmp_path: Path) -> None:
    """Each is one line that names the setting; a key with a password is never asked for at a terminal."""
    files = self_signed(tmp_path)
    (tmp_path / "other").mkdir()
    other = self_signed(tmp_path / "other", password="secret")
    (tmp_path / "text").write_text("no certificate\n")
    faults = {
        (files.certificate, ""): "setting `dashboard.tls_key`: TLS needs a certificate and its key: set both",
        ("", files.key): "setting `dashboard.tls_cert`: TLS needs a certificate and its key: set both",
        (f"{tmp_path}/none", files.key): f"setting `dashboard.tls_cert`: {tmp_path}/none: No such file or directory",
        (files.certificate, str(tmp_path)): f"setting `dashboard.tls_key`: {tmp_path}: Is a directory",
        (files.certificate, other.key): "cannot be used",
        (other.certificate, other.key): "the key must have no password",
        (f"{tmp_path}/text", files.key): "cannot be used",
    }
    for (certificate, key), words in faults.items():
        with pytest.raises(TickflagError) as error:
            opened(tls_cert=certificate, tls_key=key)
        assert words in str(error.value)
        assert "\n" not in str(error.value)
