"""The dashboard of a running engine: its API as the OpenAPI file describes it, and nowhere its token."""

import io
import json
import os
import signal
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from tests.support.harnesses.dashboard import Site, start_dashboard
from tests.support.harnesses.engine import Engine, write_trader
from tests.support.processes.commands import run_command, tickflag_command
from tickflag.common.login_code import make_code
from tickflag.services.dashboard.web.api import OPENAPI

DOCUMENT = json.loads(OPENAPI.read_text())
TRADER = "everything"
SCORES = """\
@hookimpl
def evaluate(market):
    return np.array([float(sum(map(ord, name))) for name in market.symbols])
"""
"""Every symbol matches, with a score that never changes."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("dashboard")
    write_trader(folder / "plugins", TRADER, SCORES, scope="market")
    with Engine(folder, env={"TICKFLAG_SYNTHETIC__SYMBOLS": "50"}, plugins=folder / "plugins") as engine:
        engine.start("feed", "collector", "trader")
        engine.wait_ready()
        yield engine


@pytest.fixture(scope="module")
def site(engine: Engine) -> Site:
    site = start_dashboard(engine)
    engine.wait(lambda: len(engine.matches(TRADER)) == 50, what="everything matches")
    engine.wait(lambda: site.get("/readyz").status_code == 200, what="the dashboard calls the engine ready")
    return site


def schema(path: str, status: int = 200) -> dict[str, Any]:
    """The schema of a JSON answer, with what it refers to."""
    response = DOCUMENT["paths"][path]["get"]["responses"][str(status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    (content,) = response["content"].values()
    found = content["schema"]
    return {**found, "components": DOCUMENT["components"]}


def check(path: str, document: Any, status: int = 200) -> None:
    jsonschema.Draft202012Validator(schema(path, status)).validate(document)


def test_the_file_is_served_and_complete(site: Site) -> None:
    """Every address that it names is there, and no reference leads nowhere."""
    assert site.get("/api/openapi.json").json() == DOCUMENT
    for name, one in DOCUMENT["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(one)
        for reference in _references(one):
            assert reference in {f"#/components/schemas/{other}" for other in DOCUMENT["components"]["schemas"]}, name
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            answer = site.request(method.upper(), path.replace("{trader}", TRADER).replace("{symbol}", "x"))
            assert answer.status_code not in (405, 500), path
            assert answer.status_code != 404 or path == "/api/symbols/{symbol}", path


@pytest.mark.parametrize("path", ["/api/status", "/api/traders", "/api/signals", "/readyz"])
def test_answers_are_as_described(site: Site, path: str) -> None:
    """Every field that the file promises is there, of its type."""
    response = site.get(path)
    assert response.headers["content-type"] == "application/json"
    check(path, response.json())


def test_matches_are_those_of_the_collector(site: Site, engine: Engine) -> None:
    """Best score first, every one of them, and each list holds the same."""

    document = site.get(f"/api/matches/{TRADER}").json()
    names = site.get(f"/api/lists/{TRADER}.json").json()["pairs"]
    text = site.get(f"/api/lists/{TRADER}.txt").text
    check("/api/matches/{trader}", document)
    rows = document["rows"]
    assert {row["symbol"]: row["score"] for row in rows} == engine.matches(TRADER)
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert names == [row["symbol"] for row in rows]
    assert len(names) == document["total"] == 50
    assert len(text.split(",")) == len(names)
    check("/api/lists/{trader}.json", {"pairs": names, "refresh_period": 10})


def test_a_symbol(site: Site, engine: Engine) -> None:
    """By its encoded name; one that there is not is refused in the described form."""
    symbol = next(iter(engine.matches(TRADER)))
    document = site.get(f"/api/symbols/{quote(symbol, safe='')}").json()
    check("/api/symbols/{symbol}", document)
    assert document["symbol"] == symbol
    for path, address in {
        "/api/symbols/{symbol}": "/api/symbols/no%2Fsuch",
        "/api/matches/{trader}": "/api/matches/no%2Fsuch",
        "/api/lists/{trader}.json": "/api/lists/no-such.json",
    }.items():
        refusal = site.get(address)
        assert refusal.status_code == 404, address
        check(path, refusal.json(), 404)


def test_signals_are_read_to_the_end_without_a_gap(site: Site, engine: Engine) -> None:
    """Whoever goes on from the last number gets every signal of the journal once, in order."""
    newest = engine.wait(lambda: engine.signals(), what="there are signals")[-1]["seq"]
    journal = site.get("/api/signals").json()["journal_id"]
    since, found = 0, []
    while since < newest:
        document = site.get(f"/api/signals?journal={journal}&since={since}&count=7").json()
        check("/api/signals", document)
        assert document["signals"], since
        found += [signal["seq"] for signal in document["signals"]]
        since = found[-1]
    assert found == list(range(1, len(found) + 1))
    other = site.get(f"/api/signals?journal=other&since={newest}&count=3").json()
    assert [signal["seq"] for signal in other["signals"]] == [1, 2, 3]


def test_the_bundle_needs_the_token_and_does_not_hold_it(site: Site, engine: Engine) -> None:
    """Nor does anything that the processes write, after all kinds of requests."""
    assert site.get("/api/bundle").status_code == 401
    (engine.runtime.logs / "leak.log").write_text(f"somebody wrote {site.token} here\n")
    response = site.get("/api/bundle", token=True)
    assert response.headers["content-type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(response.content)) as bundle:
        texts = {name: _content(bundle, name) for name in bundle.getnames()}
    assert any(name.endswith("/logs/leak.log") for name in texts)
    assert [name for name, text in texts.items() if site.token.encode() in text] == []
    assert site.get(f"/login?code={make_code(site.token)}").status_code == 303
    site.get(f"/login?token={site.token}")
    site.get("/login?code=almost")
    with pytest.raises(Exception, match="403"), site.viewer(headers={"Authorization": f"Bearer {site.token}x"}):
        pass
    outputs = "".join(path.read_text(errors="replace") for path in Path(engine.folder).glob("*.out"))
    assert site.token not in outputs


def test_what_needs_the_token_over_the_websocket(site: Site) -> None:
    """Settings are refused without it; with it they come."""
    for token in (False, True):
        with site.viewer(token=token, max_size=None) as viewer:
            assert json.loads(viewer.recv(60))["writable"] is token
            viewer.send(json.dumps({"op": "do", "id": 1, "what": "feed.swap", "arguments": {}}))
            assert json.loads(viewer.recv(60))["op"] == ("done" if token else "error")
            viewer.send(json.dumps({"op": "subscribe", "id": 2, "topic": "debug", "arguments": {}}))
            answer = json.loads(viewer.recv(60))
            assert bool(answer.get("data", {}).get("settings")) is token


def test_the_command_names_the_address_and_the_link(site: Site, engine: Engine) -> None:
    """`tickflag dashboard`; the link lets one browser in, once. The doctor finds the dashboard well."""
    shown = engine.cli("dashboard")
    address, link = (line.split()[1] for line in shown.stdout.splitlines())
    assert address == site.url
    assert link.startswith(f"{site.url}/login?code=")
    assert site.token not in shown.stdout + shown.stderr
    opened = [site.get(link.removeprefix(site.url)) for _ in range(2)]
    assert [one.status_code for one in opened] == [303, 401]
    assert site.token in opened[0].headers["set-cookie"]
    assert engine.cli("dashboard", "--token").stdout == f"{site.token}\n"
    assert (
        f"at {site.url}"
        in run_command(tickflag_command("doctor"), env={**engine.env, "TICKFLAG_DASHBOARD__PORT": "8087"}).stdout
    )


def _content(bundle: tarfile.TarFile, name: str) -> bytes:
    file = bundle.extractfile(name)
    return file.read() if file else b""


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)


def test_no_bot_acts_on_a_dead_engine(engine: Engine, site: Site) -> None:
    """Lists and signals are refused while the feed stands still, and while no collector runs; then they are back."""
    lists = [f"/api/lists/{TRADER}.{kind}" for kind in ("json", "txt", "csv")]

    def refused(paths: Sequence[str], words: str) -> bool:
        answers = [site.get(path) for path in paths]
        return all(answer.status_code == 503 and words in answer.text for answer in answers)

    engine.send("feed", signal.SIGSTOP)
    try:
        engine.wait(lambda: refused(lists, "the feed is stale"), what="lists are refused without the feed")
    finally:
        engine.send("feed", signal.SIGCONT)
    engine.wait(lambda: len(site.get(lists[0]).json().get("pairs", ())) == 50, what="the list is back")
    engine.stop("collector")
    engine.wait(lambda: refused([*lists, "/api/signals"], "no collector is running"), what="all is refused")
    assert site.get("/readyz").json()["reasons"][0] == "no collector is running"
    engine.start("collector")
    engine.wait(lambda: len(site.get(lists[0]).json().get("pairs", ())) == 50, what="the list is back")


def test_no_bot_acts_on_stale_matches(engine: Engine, site: Site) -> None:
    """The matches of a trader whose worker stands still are left out of lists."""
    pid = engine.trader(TRADER)["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        engine.wait(lambda: site.get(f"/api/lists/{TRADER}.json").json().get("pairs") == [], what="none is sure")
    finally:
        os.kill(pid, signal.SIGCONT)
    engine.wait(lambda: len(site.get(f"/api/lists/{TRADER}.json").json()["pairs"]) == 50, what="the list is back")
