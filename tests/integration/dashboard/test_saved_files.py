"""What the page saves: files for spreadsheets."""

import csv
from pathlib import Path

from tests.support.harnesses.browsed_engine import SYMBOLS, BrowsedEngine

ROWS = "[role=row][aria-rowindex]"


def test_matches_become_a_file(site: BrowsedEngine, tmp_path: Path) -> None:
    """The file holds every match that the filters leave, not only those in sight, once and in the view's order."""
    with site.look() as looker:
        page = looker.open("/matches?traders=price&sort=-symbol")
        with page.expect_download() as download:
            page.click("button:has-text('CSV')")
        download.value.save_as(tmp_path / "matches.csv")
    with (tmp_path / "matches.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["trader"] for row in rows} == {"price"}
    symbols = [row["symbol"] for row in rows]
    assert len(set(symbols)) == SYMBOLS
    assert symbols == sorted(symbols, reverse=True)


def test_all_signals_that_fit_are_saved(site: BrowsedEngine, tmp_path: Path) -> None:
    """The file holds what the filters leave of the whole journal, not only what the page has loaded."""
    site.engine.wait(lambda: len(site.engine.signals()) > SYMBOLS, what="more signals than a page loads")
    with site.look() as looker:
        page = looker.open("/signals?trader=price&event=entered")
        looker.wait(f"document.querySelectorAll('{ROWS} a').length")
        with page.expect_download() as download:
            page.click("button:has-text('CSV')")
        assert download.value.suggested_filename == "signals.csv"
        download.value.save_as(tmp_path / "signals.csv")
    with (tmp_path / "signals.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {(row["trader"], row["event"]) for row in rows} == {("price", "entered")}
    assert len({row["symbol"] for row in rows}) == SYMBOLS
