"""A real browser that looks at the dashboard, and what it must never do: fail, or ask another machine."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Response, sync_playwright

from tests.support.processes.waiting import allowed_s, wait_until

CHROMIUM = shutil.which("chromium")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--no-proxy-server",
)  # fmt: skip
DESK = (1280, 800)
PHONE = (390, 844)
PHONES = ((360, 740), (412, 915))
"""A small and a large one."""
WITHIN_S = 10.0
_CHECKS = Path(__file__).with_name("page_checks.js").read_text()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Looker:
    """One who looks at the dashboard at `url`, in a browser of their own. Use it in a `with` block.

    At the end it fails where the page wrote an error, an answer failed, or a request went elsewhere. Where the test
    takes the server away, it sets `lost`.
    """

    def __init__(self, browser: Browser, url: str, size: tuple[int, int] = DESK, **options: Any) -> None:
        self.url = url
        self.lost = False
        self._faults: list[str] = []
        self._context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
        self._context.set_default_timeout(allowed_s(WITHIN_S) * 1000)
        self.page: Page = self._context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._faults.append(f"page: {error}"))
        self.page.on("request", lambda request: self._watch(request.url))
        self.page.on("websocket", lambda socket: self._watch(socket.url))
        self.page.on("response", self._check)

    def open(self, address: str = "/", standing: str = "live") -> Page:
        """Open an address of the dashboard, and wait until the page says that it is `standing`."""
        self.page.goto(f"{self.url}{address}")
        self.page.wait_for_selector(f"[data-standing='{standing}']")
        return self.page

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def value(self, figure: str) -> float:
        """The plain value of a figure, once it is known."""
        self.wait(f"document.querySelector('[data-figure=\"{figure}\"]')?.dataset.value")
        return float(self.page.locator(f'[data-figure="{figure}"]').first.get_attribute("data-value") or "nan")

    def wait(self, expression: str) -> Any:
        """Wait until the script gives something true, and give that.

        It is asked again and again from here: what the browser would ask by itself, the page's policy forbids.
        """

        def asked() -> Any:
            try:
                return self.page.evaluate(expression)
            except Error as error:
                if "Execution context was destroyed" in str(error):  # another page is being loaded
                    return None
                raise

        return wait_until(asked, WITHIN_S, expression, lambda: self.page.locator("body").inner_text()[:2_000])

    def check(self, what: str) -> Any:
        """What one of the checks of `page_checks.js` finds on the page."""
        return self.page.evaluate(f"({_CHECKS}).{what}()")

    def fits(self) -> bool:
        """Whether nothing has to be scrolled sideways."""
        return bool(
            self.page.evaluate(
                """() => [document.documentElement, document.getElementById("view")]
                    .every((element) => element.scrollWidth <= element.clientWidth)"""
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._context.close()
        if kind is None:
            assert not self._faults, self._faults

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not self.lost:
            self._faults.append(f"console: {message.text}")

    def _watch(self, url: str) -> None:
        asked = urlsplit(url)
        if asked.scheme not in ("data", "blob") and asked.netloc != urlsplit(self.url).netloc:
            self._faults.append(f"a request leaves the machine: {url}")

    def _check(self, response: Response) -> None:
        if response.status >= 400 and not self.lost:
            self._faults.append(f"{response.status}: {response.url}")
