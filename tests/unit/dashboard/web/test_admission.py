"""Who is admitted, by the headers of a request alone."""

import pytest

from tickflag.services.dashboard.web.admission import Admission, Barred, Caller, right_for

TOKEN = "a-token-of-the-test-0123"
HOST = "127.0.0.1:8087"


def admission(open_reading: bool = True, loopback: bool = True, names: tuple[str, ...] = ()) -> Admission:
    return Admission(TOKEN, "tickflag_main", open_reading, loopback, names)


def admit(
    one: Admission, client: str = "127.0.0.1", method: str = "GET", path: str = "/", host: str = HOST, **headers: str
) -> Caller:
    found = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return one.admit([(name.encode(), value.encode()) for name, value in found.items() if value], client, method, path)


def status(one: Admission, **request: str) -> int:
    with pytest.raises(Barred) as refusal:
        admit(one, **request)
    return refusal.value.status


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8087", "localhost:8087", "LocalHost", "[::1]:8087", "127.0.0.9", "localhost:9000"]
)
def test_hosts_of_this_machine(host: str) -> None:
    """Its numbers and `localhost`, with any port: a tunnel has another one."""
    assert admit(admission(), host=host).readable


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8087", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.0.7:8087",
        "0.0.0.0", "localhost:8087@evil.example", "localhost/", "localhost:", "[::1", "локалхост", "localhost.",
        "127.0.0.1:8087,evil.example", "2130706433", "0x7f000001",
    ],
)  # fmt: skip
def test_hosts_of_others(host: str) -> None:
    """A page whose name was pointed at this machine sends its own name, and is refused, whatever else it has."""
    assert status(admission(), host=host, authorization=f"Bearer {TOKEN}") == 403


def test_a_request_without_a_host_or_with_two() -> None:
    """Both are refused."""
    assert status(admission(), host="") == 400
    with pytest.raises(Barred, match="comes twice"):
        admission().admit([(b"host", b"localhost"), (b"Host", b"localhost")], "127.0.0.1", "GET", "/")


def test_names_that_the_settings_add() -> None:
    """A name of the settings is ours; beyond loopback every number is, as nobody can point a number elsewhere."""
    one = admission(loopback=False, names=("Engine.example.org",))
    assert not admit(one, host="engine.example.org:8087", client="10.0.0.2").readable
    assert admit(one, host="10.0.0.1:8087", client="10.0.0.2", authorization=f"Bearer {TOKEN}").trusted
    assert status(one, host="other.example.org") == 403


@pytest.mark.parametrize(
    ("origin", "admitted"),
    [
        (f"http://{HOST}", True),
        (f"https://{HOST}", True),
        ("http://127.0.0.1:3000", False),  # another program of this machine
        ("http://localhost:8087", False),
        ("http://evil.example", False),
        ("null", False),
        ("file://", False),
        (f"ftp://{HOST}", False),
        (f"http://{HOST}/x", False),
        (f"http://{HOST}.evil.example", False),
        ("http://[", False),
    ],
)
def test_origins(origin: str, admitted: bool) -> None:
    """Only pages of this very address may ask, also with the token's cookie."""
    if admitted:
        assert admit(admission(), origin=origin).readable
    else:
        assert status(admission(), origin=origin, cookie=f"tickflag_main={TOKEN}") == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_other_sites_may_link_and_no_more(site: str) -> None:
    """A link to a page is followed; what a page of another site loads, posts or reads is refused."""
    link = {"sec_fetch_site": site, "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert admit(admission(), path="/matches", **link)
    assert status(admission(), path="/api/bundle", **link) == 403
    assert status(admission(), path="/ws", **link) == 403
    assert status(admission(), method="POST", path="/login", **link) == 403
    assert status(admission(), path="/matches", **{**link, "sec_fetch_dest": "iframe"}) == 403
    assert status(admission(), sec_fetch_site=site, sec_fetch_mode="no-cors") == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_our_own_page_is_not_held_up(site: str) -> None:
    """Nor is an address that somebody types."""
    assert admit(admission(), path="/api/status", sec_fetch_site=site).readable


@pytest.mark.parametrize(
    ("headers", "trusted"),
    [
        ({}, False),
        ({"authorization": f"Bearer {TOKEN}"}, True),
        ({"authorization": f"bearer  {TOKEN}"}, True),
        ({"cookie": f"other=1; tickflag_main={TOKEN}"}, True),
        ({"cookie": f"tickflag_main={TOKEN}x"}, False),
        ({"cookie": f"tickflag_other={TOKEN}"}, False),
        ({"cookie": "tickflag_main=\udce9".encode("utf-8", "surrogateescape").decode("latin-1")}, False),
        ({"cookie": ";;;=,="}, False),
    ],
)
def test_the_token(headers: dict[str, str], trusted: bool) -> None:
    """As bearer or cookie. A cookie that is out of date counts as none, as the page must still load."""
    assert admit(admission(), **headers) == Caller(trusted, True)


@pytest.mark.parametrize("given", ["Bearer nonsense", f"Basic {TOKEN}", TOKEN, "Bearer"])
def test_a_wrong_bearer_is_refused(given: str) -> None:
    """A program that sends a wrong token learns so."""
    assert status(admission(), authorization=given) == 401


@pytest.mark.parametrize(
    ("open_reading", "loopback", "client", "forwarded", "readable"),
    [
        (True, True, "127.0.0.1", False, True),
        (True, False, "127.0.0.1", False, True),
        (True, False, "::1", False, True),
        (True, False, "10.0.0.2", False, False),
        (True, False, "", False, False),
        (True, True, "127.0.0.1", True, False),
        (False, True, "127.0.0.1", False, False),
        (False, False, "127.0.0.1", False, False),
    ],
)
def test_who_reads_without_the_token(
    open_reading: bool, loopback: bool, client: str, forwarded: bool, readable: bool
) -> None:
    """Those on this machine, where the settings leave reading open; not those for whom a proxy of this machine asks."""
    one = admission(open_reading, loopback)
    headers = {"x_forwarded_for": "10.1.1.1"} if forwarded else {}
    assert admit(one, client, **headers) == Caller(False, readable)
    assert admit(one, client, authorization=f"Bearer {TOKEN}", **headers) == Caller(True, True)


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/", "nothing"),
        ("/static/app.js", "nothing"),
        ("/healthz", "nothing"),
        ("/ws", "nothing"),
        ("/api/login", "nothing"),
        ("/api/openapi.json", "nothing"),
        ("/api/status", "reading"),
        ("/api/lists/rsi.json", "reading"),
        ("/api/whatever", "reading"),
        ("/api/bundle", "token"),
    ],
)
def test_what_a_path_needs(path: str, right: str) -> None:
    """The page is open, as it holds no figures; a new address of the API is not, unless it is told."""
    assert right_for(path) == right
    one = admission()
    for caller in (Caller(False, False), Caller(False, True), Caller(True, True)):
        if right == "nothing" or (right == "reading" and caller.readable) or caller.trusted:
            one.check(caller, path)
        else:
            with pytest.raises(Barred, match="needs the token") as refusal:
                one.check(caller, path)
            assert refusal.value.status == 401
