"""Symbols with names that an address has to encode, out of a recording: found, matched, drawn and told."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.harnesses.browsed_engine import RECORDED, SYMBOLS, BrowsedEngine

SECONDS = 300
PER_SECOND = 4


def _write(path: Path) -> Path:
    """Prices of both symbols from now on: a second above 100, a second below it."""
    start_ns = time.time_ns()
    places = range(SECONDS * PER_SECOND)
    rows = [
        (start_ns + place * 10**9 // PER_SECOND, name, 110.0 + number if place // PER_SECOND % 2 else 90.0)
        for place in places
        for number, name in enumerate(RECORDED)
    ]
    times, names, prices = zip(*rows, strict=True)
    absent = pa.nulls(len(rows), pa.float64())
    columns = {"ts_ns": times, "symbol": names, "price": prices, "qty": [1.0] * len(rows), "bid": absent, "ask": absent}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def recorded(site: BrowsedEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowsedEngine]:
    """The feed plays the recording, and afterwards its own market again."""
    path = _write(tmp_path_factory.mktemp("recorded") / "market.parquet")
    settings = {"TICKFLAG_FEED__SOURCE": "replay", "TICKFLAG_REPLAY__RECORDINGS": json.dumps([str(path)])}
    site.restart_feed(**settings)
    site.engine.wait(lambda: site.engine.matches("swing"), what="one of them matches")
    yield site
    site.restart_feed()
    site.engine.wait(lambda: len(site.engine.matches("price")) == SYMBOLS, what="every symbol matches again")


@pytest.mark.parametrize(("name", "typed"), [(RECORDED[0], "btc/usdt:"), (RECORDED[1], "人生")])
def test_a_symbol_of_any_name_is_found_and_drawn(recorded: BrowsedEngine, name: str, typed: str) -> None:
    """`/` finds it; its address leads back to it; candles, entries, exits and notes are there."""
    with recorded.look() as looker:
        page = looker.open("/traders")
        page.keyboard.press("/")
        page.keyboard.insert_text(typed)
        looker.wait("document.querySelector('#found [role=option]')")
        assert looker.texts("#found [role=option] span") == [name]
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/symbol/{quote(name, safe='')}")
        page.reload()
        page.wait_for_selector(f"h1:text-is('{name}')")
        assert looker.value("symbol.ticker.last") in (90.0, 110.0 + RECORDED.index(name))
        rows = "[...document.querySelectorAll('.past tbody tr')].map((row) => row.innerText)"
        looker.wait(f"{rows}.some((row) => row.includes('entered') && row.includes('above by 1'))")
        looker.wait(f"{rows}.some((row) => row.includes('left'))")
        assert looker.value("candles.high") == 110.0 + RECORDED.index(name)
        assert looker.value("candles.low") == 90.0
        box = page.locator("#candles").bounding_box()
        assert box is not None
        told = "document.querySelector('.legend .enter')?.textContent.includes('swing: above by 1')"
        for step in range(30):  # wherever its only candle stands
            page.mouse.move(box["x"] + box["width"] * (1 - step / 30), box["y"] + box["height"] / 2)
            if page.evaluate(told):
                break
        looker.wait(told)
        looker.wait("document.querySelector('.legend .leave')")


def test_a_match_of_any_name_leads_to_its_symbol(recorded: BrowsedEngine) -> None:
    """Rows of matches and signals have the whole name, and lead to it; an address typed without encoding does, too."""
    with recorded.look() as looker:
        for name in RECORDED:
            page = looker.open("/matches?traders=swing")
            looker.wait(f"[...document.querySelectorAll('[role=row] a')].some((one) => one.textContent === {name!r})")
            page.click(f"[role=row] a:text-is('{name}')")
            page.wait_for_url(f"**/symbol/{quote(name, safe='')}")
            page.wait_for_selector(f"h1:text-is('{name}')")
            looker.open(f"/signals?symbol={quote(name)}")
            looker.wait("document.querySelector('[role=row][aria-rowindex] a')")
            assert set(looker.texts("[role=row][aria-rowindex] a >> nth=0")) == {name}
            looker.open(f"/symbol/{name}")
            page.wait_for_selector(f"h1:text-is('{name}')")
            assert looker.value("symbol.ticker.last") > 0


def test_a_symbol_that_there_is_not_is_told(recorded: BrowsedEngine) -> None:
    """An address of no symbol says so, and how to find one."""
    with recorded.look() as looker:
        looker.open("/symbol/NO/SUCH:THING")
        looker.page.wait_for_selector("h1:text-is('NO/SUCH:THING')")
        looker.wait("document.querySelector('main .hint')?.textContent.includes(\"no symbol 'NO/SUCH:THING'\")")
