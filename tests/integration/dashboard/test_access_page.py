"""Who may look and who may change, and a page whose dashboard goes and comes back."""

import json

from tests.support.harnesses.browsed_engine import BrowsedEngine

# Sends a command past the page's own buttons; gives the answer.
SENT = """() => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    const command = { op: "do", id: 1, what: "trader.stop", arguments: { trader: "price" } };
    socket.onopen = () => socket.send(JSON.stringify(command));
    socket.onmessage = ({ data }) => {
        const answer = typeof data === "string" ? JSON.parse(data) : {};
        if (answer.id === 1) (resolve(answer), socket.close());
    };
})"""


def test_without_the_token_nothing_can_be_changed(site: BrowsedEngine) -> None:
    """Who may only read is told how to get the link, sees no switch, and is refused a command sent all the same."""
    with site.look() as looker:
        looker.open("/traders")
        looker.wait("document.querySelector('main tbody tr')")
        assert looker.count(".actions button") == 0
        assert "tickflag dashboard --open" in looker.text("main .hint")
        refused = looker.page.evaluate(SENT)
        assert refused["op"] == "error"
        assert "this needs the token" in refused["error"]
        assert site.engine.trader("price")["state"] == "running"
        looker.open("/debug")
        looker.wait("document.querySelector('main .hint')")
        assert looker.count("main button") == 0
        assert looker.page.request.get(f"{site.url}/api/bundle").status == 401
        looker.open("/flags/audit")
        looker.wait("document.querySelector('main .hint')")
        assert looker.count("main button:not(:text-is('Explain'))") == 0


def test_the_link_makes_an_operator(site: BrowsedEngine) -> None:
    """The link leads to the address without the token, and to a cookie that scripts cannot read; a wrong one does
    not."""
    link = site.link()
    with site.look() as looker:
        page = looker.page
        looker.lost = True
        page.goto(link[:-1] + ("a" if link[-1] != "a" else "b"))
        assert "this one does not any more" in looker.text("body")
        assert page.context.cookies() == []
        looker.lost = False
        page.goto(link)
        page.wait_for_selector("[data-standing=live]")
        assert page.url == f"{site.url}/"
        assert page.evaluate("document.documentElement.dataset.writable") == "true"
        assert page.evaluate("document.cookie") == ""
        (cookie,) = page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")


def test_reading_can_be_closed(site: BrowsedEngine) -> None:
    """With the setting, the page of a reader holds no figure and says what to do; an operator's is as ever."""
    site.engine.stop("dashboard")
    site.start(TICKFLAG_DASHBOARD__OPEN_READING="false")
    with site.look() as looker:
        looker.open("/matches", "token needed")
        assert "Reading needs the token, too" in looker.text("#notice [role=alert]")
        assert looker.count("[data-value]:not([data-value=''])") == 0
        assert looker.page.request.get(f"{site.url}/api/status").status == 401
    with site.operate() as looker:
        looker.open("/matches")
        assert looker.value("matches.matching") > 0
    site.engine.stop("dashboard")
    site.start()


def test_the_page_connects_again_by_itself(site: BrowsedEngine) -> None:
    """Without the server the page says so; when the server is back, it goes on with new data, untouched."""
    with site.look() as looker:
        page = looker.open("/matches?traders=price&sort=age_ms")
        shown = "[...document.querySelectorAll('[role=row][aria-rowindex]')].map((row) => row.innerText).join()"
        looker.wait("document.querySelector('[role=row][aria-rowindex] a')")
        page.evaluate("window.untouched = true")
        looker.lost = True
        site.engine.kill("dashboard")
        looker.wait("document.querySelector('[data-standing=reconnecting]')")
        assert "No connection" in looker.text("#notice [role=alert]")
        before = page.evaluate(shown)
        site.start()
        looker.wait("document.querySelector('[data-standing=live]')")
        looker.wait(f"{shown} !== {json.dumps(before)}")
        assert looker.count("#notice [role=alert]") == 0
        assert page.evaluate("window.untouched")
        page.click("[role=row][aria-rowindex] a")
        page.wait_for_url("**/symbol/*")
        assert looker.value("symbol.ticker.last") > 0
