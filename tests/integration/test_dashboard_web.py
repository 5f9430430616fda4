"""The dashboard's web part over real sockets, with a hub of the test's own: who gets in, and what the answers hold."""

import csv
import io
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.support.harnesses.dashboard import TOKEN, HubStandIn, Site, served
from tests.support.processes.certificates import self_signed
from tickflag.common.errors import TickflagError
from tickflag.common.login_code import make_code
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.refusals import NotFound, Refused, TokenNeeded

NAME = "币安人生/USDT:USDT"


@pytest.fixture(scope="module")
def hub() -> HubStandIn:
    hub = HubStandIn()
    hub.answers = {
        "overview": Answer({"feed": {"state": "running"}, "traders": [{"name": "rsi", "state": "running"}]}),
        "traders": Answer({"traders": []}),
        "symbol": Answer({"symbol": NAME, "known": True, "ticker": {"last": float("nan")}}),
        "signals": Answer({"journal_id": "j1", "signals": [{"seq": 3}, {"seq": 2}]}),
        "matches": Answer(
            {"total": 2, "away": ""},
            2,
            {"entered_ms": np.array([0.0, 0.0]), "score": np.array([2.0, 1.0]), "mark": np.array([0.0, 1.0])},
            {"trader": ["rsi", "rsi"], "symbol": [NAME, "BTC/USDT"], "note": ["up", ""]},
        ),
    }
    return hub


@pytest.fixture(scope="module")
def site(hub: HubStandIn) -> Iterator[Site]:
    with served(hub) as site:
        yield site


# --- admission

READ, WRITE = ("GET", "/api/status"), ("POST", "/api/logout")


@pytest.mark.parametrize(("method", "path"), [READ, WRITE])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, 403),
        ({"cookie": f"tickflag_test={TOKEN}", "origin": "http://evil.example"}, 403),
        ({"cookie": f"tickflag_test={TOKEN}", "host": "evil.example"}, 403),
        ({"cookie": f"tickflag_test={TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"authorization": f"Bearer {TOKEN}", "host": "evil.example"}, 403),
        ({"authorization": "Bearer wrong"}, 401),
    ],
)
def test_who_gets_in(site: Site, method: str, path: str, headers: dict[str, str], status: int) -> None:
    """Reading and writing alike: only with our own Host and Origin, whatever token comes along."""
    response = site.request(method, path, headers=headers)
    assert response.status_code == status
    assert "access-control-allow-origin" not in response.headers
    assert status == 200 or response.json()["error"]


@pytest.mark.parametrize(
    ("headers", "admitted"),
    [
        ({}, True),
        ({"Host": "evil.example"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost:1", "Cookie": f"tickflag_test={TOKEN}"}, False),
        ({"Authorization": "Bearer wrong"}, False),
    ],
)
def test_whose_websocket_gets_in(site: Site, headers: dict[str, str], admitted: bool) -> None:
    """A browser lets any page connect; the answer to another page is a refusal."""
    if admitted:
        with site.viewer(headers=headers) as viewer:
            assert json.loads(viewer.recv(60))["op"] == "hello"
        return
    # The client adds a Host of its own, so the handshake is written by hand.
    lines = {"Host": site.host, **headers, "Upgrade": "websocket", "Connection": "Upgrade"}
    lines |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    request = "GET /ws HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
    host, _, port = site.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as raw:
        raw.sendall(request.encode())
        status = raw.makefile("rb").readline().split()[1]
    assert status == b"403"


def test_the_page_itself_is_open_and_its_headers_are_safe(site: Site) -> None:
    """No script from elsewhere, no frame round it, no guess of types, no address told to others."""
    for path in ("/", "/api/status", "/nowhere", "/static/none.js", "/healthz"):
        headers = site.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; connect-src 'self';")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] in ("no-store", "no-cache")
        assert "server" not in headers
    assert site.get("/api/status").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/", "/matches", "/symbol/BTC%2FUSDT%3AUSDT", "/symbol/%E5%B8%81USDT", "/traders", "/traders/a%2Fb", "/signals",
     "/notices", "/flags", "/flags/x", "/debug"],
)  # fmt: skip
def test_every_view_has_an_address(site: Site, path: str) -> None:
    """All give the one page, which looks at the address itself."""
    assert site.get(path).content == site.get("/").content
    assert site.get(path).headers["content-type"] == "text/html; charset=utf-8"


def test_an_address_without_meaning(site: Site) -> None:
    """404 in plain words; also for methods that are none of ours."""
    assert site.get("/nowhere").status_code == 404
    assert site.get("/static/../../service.py").status_code == 404
    assert site.get("/static/%2e%2e/service.py").status_code == 404
    assert site.request("POST", "/api/status").status_code == 405


# --- login


def test_the_link_becomes_a_cookie(site: Site) -> None:
    """Scripts cannot read it, and other sites do not send it. The address holds a code, never the token."""
    response = site.get(f"/login?code={make_code(TOKEN)}")
    assert (response.status_code, response.headers["location"]) == (303, "/")
    cookie = response.headers["set-cookie"].lower()
    assert cookie.startswith(f"tickflag_test={TOKEN.lower()};")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    for query in ("?code=wrong", "", f"?token={TOKEN}", f"?code={TOKEN}"):
        wrong = site.get(f"/login{query}")
        assert (wrong.status_code, wrong.text.count("\n")) == (401, 1)
        assert "`tickflag dashboard` prints a new one" in wrong.text
        assert "set-cookie" not in wrong.headers


def test_a_link_counts_once(site: Site) -> None:
    """Whoever only asks what it is does not use it up. Opened again where the cookie is, it leads to the page."""
    link = f"/login?code={make_code(TOKEN)}"
    assert "set-cookie" not in site.request("HEAD", link).headers
    assert "set-cookie" in site.get(link).headers
    assert site.get(link).status_code == 401
    again = site.get(link, headers={"cookie": f"tickflag_test={TOKEN}"})
    assert (again.status_code, again.headers["location"]) == (303, "/")
    assert "set-cookie" not in again.headers


def test_the_form_becomes_a_cookie(site: Site) -> None:
    """Only JSON does, which forms of other pages cannot send; logging out takes the cookie away."""
    assert "set-cookie" in site.request("POST", "/api/login", json={"token": TOKEN}).headers
    for options in (
        {"json": {"token": "wrong"}},
        {"json": ["token"]},
        {"json": {"token": 1}},
        {"content": b"{", "headers": {"content-type": "application/json"}},
        {"content": json.dumps({"token": TOKEN}), "headers": {"content-type": "text/plain"}},
        {"content": b"x" * 10_000, "headers": {"content-type": "application/json"}},
        {"data": {"token": TOKEN}},
    ):
        response = site.request("POST", "/api/login", **options)
        assert response.status_code == 401
        assert "set-cookie" not in response.headers
    assert 'tickflag_test=""' in site.request("POST", "/api/logout").headers["set-cookie"]


def test_reading_can_be_closed(hub: HubStandIn) -> None:
    """Then figures need the token, on HTTP and WebSocket; the page and the health do not."""
    with served(hub, open_reading=False) as site:
        assert site.get("/api/status").status_code == 401
        assert site.get("/api/lists/rsi.json").status_code == 401
        assert site.get("/api/status", token=True).status_code == 200
        assert site.get("/").status_code == site.get("/static/index.html").status_code
        assert site.get("/readyz").json() == {"ready": True}
        assert site.get("/readyz", token=True).json() == {"ready": True, "reasons": []}
        with site.viewer() as viewer:
            hello = json.loads(viewer.recv(60))
            assert (hello["readable"], hello["writable"]) == (False, False)
            viewer.send(json.dumps({"op": "subscribe", "id": 1, "topic": "overview"}))
            refusal = json.loads(viewer.recv(60))
            assert (refusal["op"], refusal["id"]) == ("error", 1)
            assert "needs the token" in refusal["error"]
        with site.viewer(token=True) as viewer:
            hello = json.loads(viewer.recv(60))
            assert (hello["readable"], hello["writable"]) == (True, True)


def test_tls(hub: HubStandIn, tmp_path: Path) -> None:
    """With a certificate all is encrypted, and the cookie goes over TLS only."""
    files = self_signed(tmp_path)
    trust = ssl.create_default_context(cafile=files.certificate)
    with served(hub, tls_cert=files.certificate, tls_key=files.key) as site:
        url = site.url.replace("127.0.0.1", "localhost")
        assert url.startswith("https://")
        with httpx.Client(base_url=url, verify=trust, trust_env=False, timeout=60) as client:
            assert client.get("/healthz").text == "alive\n"
            assert "; secure" in client.get(f"/login?code={make_code(TOKEN)}").headers["set-cookie"].lower()
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"), trust_env=False, timeout=60)


# --- answers


def test_names_arrive_as_they_are(site: Site, hub: HubStandIn) -> None:
    """Slashes, colons and other letters, encoded or not; unknown numbers are null."""
    for path in ("币安人生%2FUSDT%3AUSDT", "币安人生/USDT:USDT"):
        hub.asked.clear()
        response = site.get(f"/api/symbols/{path}")
        assert response.json() == {"symbol": NAME, "known": True, "ticker": {"last": None}}
        assert hub.asked == [("symbol", {"symbol": NAME}, False)]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/status"), ("DELETE", "/api/lists/a.json"), ("GET", "/api/login")]
)
def test_a_method_that_does_nothing(site: Site, method: str, path: str) -> None:
    """One line as JSON names those that do."""
    response = site.request(method, path)
    assert response.status_code == 405
    assert response.json()["error"].startswith(f"{method} does nothing here: use ")
    assert response.json()["error"].endswith(response.headers["allow"].replace(", ", " or "))


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nope", "/api/status/", "/api/matches"])
def test_an_address_that_the_api_does_not_have(site: Site, path: str) -> None:
    """As JSON, with where the others stand."""
    response = site.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/json")
    assert response.json() == {"error": "there is nothing at this address: see /api/openapi.json"}


def test_a_refusal_is_no_list(hub: HubStandIn) -> None:
    """freqtrade takes any JSON for a list, which would be empty: it must keep the last one."""
    with served(hub, open_reading=False) as site:
        for path, token, status in (("a.json", False, 401), ("a.xml", True, 404), ("a.json?count=0", True, 400)):
            response = site.get(f"/api/lists/{path}", token=token)
            assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
            assert response.json()["error"]


@pytest.mark.parametrize(
    "path", ["status", "traders", "matches/a", "symbols/a", "signals", "lists/a.json", "lists/a.csv"]
)
def test_an_argument_that_means_nothing(site: Site, path: str) -> None:
    """It is named: whoever mistypes one learns of it."""
    response = site.get(f"/api/{path}?nope=1")
    assert response.status_code == 400
    assert response.json()["error"].startswith(f"/api/{path} has no argument 'nope': there ")


def test_matches_and_lists(site: Site, hub: HubStandIn) -> None:
    """The best first, as rows and in the forms that others read."""
    hub.asked.clear()
    rows = site.get("/api/matches/a%2Fb?count=7&first=2").json()["rows"]
    assert [row["symbol"] for row in rows] == [NAME, "BTC/USDT"]
    window = {"traders": ["a/b"], "sort": [["score", "desc"]], "first": 2, "count": 7, "rows": "matching"}
    assert hub.asked == [("matches", window, False)]
    assert site.get("/api/lists/rsi.json").json() == {"pairs": [NAME, "BTC/USDT"], "refresh_period": 10}
    text = site.get("/api/lists/rsi.txt?exchange=binance")
    assert text.text == "BINANCE:币安人生USDT.P,BINANCE:BTCUSDT"
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    table = site.get("/api/lists/rsi.csv")
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert [row["symbol"] for row in csv.DictReader(io.StringIO(table.text))] == [NAME, "BTC/USDT"]
    assert site.get("/api/lists/rsi.xml").status_code == 404
    assert site.get("/api/lists/rsi").status_code == 404


def test_signals_go_on_where_one_stopped(site: Site, hub: HubStandIn) -> None:
    """Oldest first; the numbers of another journal say nothing, so its beginning comes."""
    hub.asked.clear()
    answer = site.get("/api/signals?journal=j1&since=1&count=5&trader=rsi").json()
    assert [signal["seq"] for signal in answer["signals"]] == [2, 3]
    assert hub.asked == [("signals", {"since": 1, "count": 5, "trader": "rsi"}, False)]
    hub.asked.clear()
    site.get("/api/signals?journal=other&since=7")
    assert [arguments["since"] for _, arguments, _ in hub.asked] == [7, 0]


@pytest.mark.parametrize(
    "query", ["since=-1", "since=x", "count=0", "count=1001", "since=1.5", f"since={10**30}", "count=²"]
)
def test_wrong_numbers_are_named(site: Site, query: str) -> None:
    """One line says which, and what it must be."""
    response = site.get(f"/api/signals?{query}")
    assert response.status_code == 400
    assert response.json()["error"].startswith(f"`{query.partition('=')[0]}` must be a whole number from")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("there is no trader 'x'"), 404),
        (Refused("`count` is too large"), 400),
        (TokenNeeded("this needs the token"), 401),
        (TickflagError("the collector did not answer"), 503),
    ],
)
def test_refusals_have_a_status_each(site: Site, hub: HubStandIn, error: TickflagError, status: int) -> None:
    """And the words of the one who refuses."""
    before, hub.answers["traders"] = hub.answers["traders"], error
    try:
        response = site.get("/api/traders")
    finally:
        hub.answers["traders"] = before
    assert (response.status_code, response.json()) == (status, {"error": str(error)})


def test_an_unknown_symbol_is_none(site: Site, hub: HubStandIn) -> None:
    """404, though the view can show it."""
    before, hub.answers["symbol"] = hub.answers["symbol"], Answer({"symbol": "x", "known": False})
    try:
        assert site.get("/api/symbols/x").status_code == 404
    finally:
        hub.answers["symbol"] = before


@pytest.mark.parametrize(
    ("overview", "reasons"),
    [
        ({"feed": {"state": "running"}, "traders": [{"name": "a", "state": "disabled"}]}, []),
        ({"feed": {"state": "stale"}, "traders": [{"name": "a", "state": "waiting"}]},
         ["the feed is stale", "trader a is waiting"]),
        ({"feed": {"state": "running"}, "traders": []}, ["no trader is known"]),
    ],
)  # fmt: skip
def test_readiness(site: Site, hub: HubStandIn, overview: dict[str, Any], reasons: list[str]) -> None:
    """503 with the reasons; alive all the time."""
    before, hub.answers["overview"] = hub.answers["overview"], Answer(overview)
    try:
        response = site.get("/readyz")
    finally:
        hub.answers["overview"] = before
    assert (response.status_code, response.json()["reasons"]) == (503 if reasons else 200, reasons)
    assert site.get("/healthz").status_code == 200


def test_a_request_for_the_websocket_that_is_none(site: Site) -> None:
    """It is refused, and harms nobody."""
    assert site.get("/ws").status_code == 404
