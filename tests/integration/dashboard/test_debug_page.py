"""The debug view: commands to the feed, the bundle, and the switches that outlast a restart."""

import tarfile
from pathlib import Path

from tests.support.harnesses.browsed_engine import SYMBOLS, BrowsedEngine


def test_a_burst_and_a_swap_are_carried_out(site: BrowsedEngine) -> None:
    """A burst of all symbols updates each of them; a swap is answered, and a wrong number is refused in words."""
    with site.operate() as looker, site.engine.segment() as segment:
        page = looker.open("/debug")
        before = segment.arrays.versions[:SYMBOLS].copy()
        page.fill("[aria-label='Symbols of the burst']", str(SYMBOLS))
        page.click("button:text-is('Burst')")
        site.engine.wait(lambda: bool((segment.arrays.versions[:SYMBOLS] > before).all()), what="each symbol ticked")
        assert looker.text(".said") == "2,500 symbols tick at once."
        page.click("button:text-is('Swap now')")
        looker.wait("document.querySelector('.said')?.textContent === 'What was pending is announced.'")


def test_the_bundle_is_a_file_without_the_token(site: BrowsedEngine, tmp_path: Path) -> None:
    """The download is what `tickflag doctor --bundle` makes: logs and settings, and nowhere the token."""
    token = (site.engine.runtime.folder / "dashboard.token").read_text().strip()
    with site.operate() as looker:
        page = looker.open("/debug")
        with page.expect_download() as download:
            page.click("text=Bundle for a report")
        assert download.value.suggested_filename.startswith("tickflag-test-")
        download.value.save_as(tmp_path / "bundle.tar.gz")
        looker.wait("document.querySelector('[data-standing=live]')")
    with tarfile.open(tmp_path / "bundle.tar.gz") as bundle:
        contents = {one.name: bundle.extractfile(one) for one in bundle.getmembers() if one.isfile()}
        texts = {name: file.read() for name, file in contents.items() if file is not None}
    assert any(name.endswith("price.log") for name in texts)
    assert any("settings" in name for name in texts)
    assert [name for name, text in texts.items() if token.encode() in text] == []


def test_both_switches_outlast_a_restart(site: BrowsedEngine) -> None:
    """The ring on and monitoring off, as switched here, are so after feed and dashboard were started anew.

    The page that was open goes on by itself; a new one can switch monitoring on again.
    """
    with site.operate() as looker:
        page = looker.open("/debug")
        page.click("button:text-is('Ring of updates: off')")
        looker.wait("document.querySelector('[data-figure=\"debug.ring\"]')?.dataset.value > 10")
        page.click("button:text-is('Monitoring: on')")
        page.click("dialog button.harm")
        page.wait_for_selector("[data-standing='monitoring off']")
        closed = looker.value("debug.channels.0.closed")
        looker.lost = True
        site.engine.kill("dashboard")
        site.restart_feed()
        site.start()
        page.wait_for_selector("[data-standing='monitoring off']")
        assert looker.value("debug.channels.0.closed") == closed
    with site.operate() as looker:
        page = looker.open("/debug", "monitoring off")
        looker.wait("document.querySelector('main .hint')?.textContent.includes('monitoring is switched off')")
        page.click("button:text-is('Monitoring: off')")
        page.wait_for_selector("[data-standing=live]")
        page.click("button:text-is('Ring of updates: on')")
        page.wait_for_selector("button:text-is('Ring of updates: off')")
        looker.wait("document.querySelector('main').innerText.includes('the ring is off')")
