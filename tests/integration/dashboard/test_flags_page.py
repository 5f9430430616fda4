"""Feature flags in the page: each control does what the collector then says, and a worker follows."""

from typing import Any

from playwright.sync_api import Page

from tests.support.harnesses.browsed_engine import BrowsedEngine
from tests.support.harnesses.browser import Looker
from tests.support.processes.waiting import slowdown, wait_until

WORKER_MS = 1_000.0


class FlagView:
    """The view of one feature flag, beside what the collector says of it."""

    def __init__(self, site: BrowsedEngine, looker: Looker, name: str) -> None:
        self.looker, self.name, self._site = looker, name, site
        self.page: Page = looker.open(f"/flags/{name}")

    def kept(self) -> dict[str, Any]:
        flags = self._site.engine.request("collector", "flags.list")["flags"]
        return next(dict(one) for one in flags if one["flag"] == self.name)

    def wait(self, field: str, value: Any) -> None:
        wait_until(lambda: self.kept()[field] == value, what=f"{field} is {value}")

    def press(self, button: str, sure: bool = False) -> None:
        self.page.click(f"main button:text-is('{button}')")
        if sure:
            self.page.click("dialog button.harm")

    def take_back(self) -> None:
        self.press("Take back all that was set", sure=True)
        self.wait("percentage", None)


def test_a_switch_reaches_a_worker_within_a_second(site: BrowsedEngine) -> None:
    """From the press in the page to the cycle that runs with the other value, by the stamps of page and worker."""
    with site.operate() as looker:
        flag = FlagView(site, looker, "bold")
        pressed = """(name) => {
            const all = [...document.querySelectorAll("main .choice button")];
            const button = all.find((one) => one.textContent === name);
            const now = Date.now();
            button.click();
            return now;
        }"""
        for name, on in (("On", True), ("Off", False)):
            looker.wait("document.querySelector('main .choice button')")
            pressed_ms = flag.page.evaluate(pressed, name)
            flag.wait("default", on)
            wait_until(lambda: [one[0] for one in site.noticed()[-1:]] == [on], what="the worker runs with it")  # noqa: B023
            _, noticed_ms = site.noticed()[-1]
            (changed,) = site.engine.request("collector", "flags.history", flag="bold", limit=1)
            assert pressed_ms - 1 <= changed["time_ms"] <= noticed_ms + 1
            assert noticed_ms - pressed_ms <= WORKER_MS * slowdown()
            site.engine.wait(lambda: bool(site.engine.matches("bold")) == on, what="its matches follow")  # noqa: B023


def test_a_flag_is_killed_and_set(site: BrowsedEngine) -> None:
    """Kill switch and slider, each after what it asks for; all that was set can be taken back."""
    with site.operate() as looker:
        flag = FlagView(site, looker, "audit")
        flag.press("Kill", sure=True)
        flag.wait("killed", True)
        flag.press("Take the kill switch back", sure=True)
        flag.wait("killed", False)
        flag.page.fill("input[type=range]", "40")
        flag.press("Apply")
        flag.wait("percentage", 40)
        flag.take_back()


def test_names_are_forced_and_explained(site: BrowsedEngine) -> None:
    """A trader, an owner and a symbol are forced and freed again; the explanation names what counts."""
    with site.operate() as looker:
        flag = FlagView(site, looker, "delta_results")
        flag.page.fill("[aria-label=Name]", "price")
        flag.page.select_option("select[name=value]", "off")
        flag.press("Force")
        flag.wait("force", {"price": False})
        flag.page.select_option("[aria-label=Kind]", "owner")
        flag.page.fill("[aria-label=Name]", "desk")
        flag.page.select_option("select[name=value]", "on")
        flag.press("Force")
        flag.wait("owners", {"desk": True})
        for who, words in (
            ("price", "price off: it is forced for this trader"),
            ("size", "size on: that is the default"),
        ):
            flag.page.fill("[aria-label=trader]", who)
            flag.press("Explain")
            looker.wait(f"document.querySelector('main').innerText.replace(/\\s+/g, ' ').includes({words!r})")
        flag.page.click("[aria-label='No longer force price']")
        flag.wait("force", {})
        flag.page.click("[aria-label='No longer force desk']")
        flag.wait("owners", {})
        flag = FlagView(site, looker, "symbol_rate_limit")
        name = site.symbol()
        flag.page.fill("[aria-label=Name]", name)
        flag.page.select_option("select[name=value]", "off")
        flag.press("Force")
        flag.wait("force", {name: False})
        flag.take_back()
        assert flag.kept()["force"] == {}


def test_a_ramp_waits_for_approval(site: BrowsedEngine) -> None:
    """A ramp is begun, approved, halted and rolled back; the history tells each step with its author."""
    with site.operate() as looker:
        flag = FlagView(site, looker, "result_compression")
        flag.page.fill("[aria-label=Steps]", "5 then more")
        flag.press("Begin")
        looker.wait("document.querySelector('.said.bad')?.textContent.includes('is no step')")
        flag.page.fill("[aria-label=Steps]", "30:0:approve 60:1h 100:0:approve")
        flag.press("Begin")
        flag.press("Approve the next step")
        looker.wait("document.querySelector('.steps [aria-current]')?.textContent.startsWith('60 %')")
        assert flag.kept()["percentage"] == 60
        flag.press("Halt")
        looker.wait("[...document.querySelectorAll('section .state')].some((one) => one.textContent === 'halted')")
        flag.press("Roll back")
        wait_until(lambda: flag.kept()["ramp"] is None, what="the ramp is gone")
        page = site.engine.request("collector", "flags.history", flag="result_compression", limit=100)
        looker.wait(f"document.querySelectorAll('.past tbody tr').length === {len(page)}")
        rows = looker.texts(".past tbody tr")
        assert all("dashboard" in row for row in rows)
        assert "ramp" in rows[0]
        looker.open("/notices")
        looker.wait("document.querySelector('main tbody tr')")
        told = looker.texts("main tbody tr:has(a:text-is('result_compression'))")
        assert len(told) == len(page)
        assert "ramp" in told[0]


def test_both_arms_of_an_experiment_stand_side_by_side(site: BrowsedEngine) -> None:
    """A percentage makes two arms; their comparison gets its intervals, and its sums can begin anew."""

    def began_ms() -> float:
        (experiment,) = site.engine.request("collector", "experiments", flag="batch_mode")["experiments"]
        return float(experiment["since_ms"])

    with site.operate() as looker:
        flag = FlagView(site, looker, "batch_mode")
        flag.page.fill("input[type=range]", "50")
        flag.press("Apply")
        flag.wait("percentage", 50)
        looker.wait("/\\d to \\d/.test(document.querySelector('.interval')?.textContent)")
        for arm, traders in (("on", 2), ("off", 4)):  # by the buckets of the traders' names
            figure = f"flag.experiment.{arm}.present"
            looker.wait(f"document.querySelector('[data-figure=\"{figure}\"]').dataset.value === '{traders}'")
        assert looker.value("flag.experiment.cpu_ns.low") < looker.value("flag.experiment.cpu_ns.high")
        since = began_ms()
        flag.press("Begin anew", sure=True)
        wait_until(lambda: began_ms() > since, what="the sums begin anew")
        flag.take_back()
