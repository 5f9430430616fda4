"""Oversight: what the collector hears of a trader beside its results: failed cycles, bad flags and rows, audits."""

import random
import time
from collections.abc import Callable, Sequence

from common.codec import encode
from common.errors import PluginError
from common.messages import Audit, FaultKind
from common.settings import Settings
from services.trader.auditor import Sampler
from services.trader.reports import SYMBOLS, Reports
from services.trader.results import Tally
from services.trader.runner import Runner

MS = 1_000_000
STALE_BEATS = 3


class Oversight:
    """Of one trader. `send` gives False where a message cannot be taken. One thread."""

    def __init__(
        self, trader: str, incarnation: int, settings: Settings, tally: Tally, send: Callable[[bytes], bool]
    ) -> None:
        self._trader, self._incarnation, self._tally, self._send = trader, incarnation, tally, send
        self._reports = Reports(send)
        self._reported: set[tuple[str, int]] = set()  # by what, and in which cycle: of the last one
        self._sampler = Sampler(settings.audit.share, settings.audit.budget, random.Random())
        self._audits = settings.audit.share > 0
        self.clock = time.monotonic_ns
        self.wanted = True
        """Audits are switched on."""
        self._locked_from_ns = 0  # since when rows stay locked; 0: none is
        self._locked_limit_ns = int(STALE_BEATS * settings.feed.heartbeat_ms * MS)

    def failed(self, cycle: int, what: FaultKind, text: str, stack: str = "", symbols: Sequence[str] = ()) -> None:
        """Tell of a failure; of one cycle once, however often it is tried."""
        if (what, cycle) in self._reported:
            return
        self._reported = {known for known in self._reported if known[1] == cycle} | {(what, cycle)}
        self._reports.fault(self._trader, self._incarnation, cycle, what, text, stack, self._tally.cycles, symbols)

    def after_cycle(
        self, runner: Runner, time_ns: int, now_ns: int, between: Callable[[], None], part_ns: int, processed: int
    ) -> None:
        """A cycle at UTC `time_ns` succeeded, with so much processor time and so many symbols: audit it, if it is its
        turn."""
        for what, text in runner.take_troubles():
            self.failed(runner.target, what, text)
        if not self._sampler.wants(now_ns) or not self.wanted:
            return
        began_ns, began_cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        try:
            findings = runner.audit(time_ns, self.clock, between)
        except (PluginError, KeyboardInterrupt) as error:
            self.failed(runner.target, "dependence", f"trader {self._trader!r}: in an audit: {error}")
            return
        full_ns = time.thread_time_ns() - began_cpu_ns
        self._sampler.spent(now_ns, time.monotonic_ns() - began_ns)
        if findings.wrong:
            self._accuse(
                runner.target,
                "dependence",
                f"trader {self._trader!r}: another answer for the same rows: it depends on more than its symbol",
                findings.wrong,
            )
        audit = Audit.model_construct(
            trader=self._trader,
            incarnation=self._incarnation,
            cycle=runner.target,
            time_ms=time_ns // MS,
            symbols=findings.symbols,
            pending=findings.pending,
            part_ns=part_ns if findings.whole else 0,
            full_ns=full_ns if findings.whole else 0,
            processed=processed,
            wrong=len(findings.wrong),
            unseen=self._tell_unseen(runner),
        )
        self._send(encode(audit))

    def between_cycles(self, runner: Runner | None, now_ns: int, feed_lives: bool) -> None:
        """Often: send what waits; look for changes that are never announced, and rows that stay locked."""
        self._reports.flush()
        if runner is None:
            return
        if self._audits and self.wanted:
            self._tell_unseen(runner)
        if not runner.locked or not feed_lives:
            self._locked_from_ns = 0
        elif not self._locked_from_ns:
            self._locked_from_ns = now_ns
        elif now_ns - self._locked_from_ns > self._locked_limit_ns:
            self._locked_from_ns = now_ns
            self.failed(runner.target, "buffer", "rows stay locked though the feed lives")

    def beat(self, runner: Runner | None) -> None:
        """At each heartbeat: which changes are not evaluated yet."""
        if runner is not None and self._audits and self.wanted:
            runner.auditor.note_pending(self.clock)

    def _tell_unseen(self, runner: Runner) -> int:
        unseen = runner.auditor.unseen()
        if unseen:
            runner.distrust()
            text = "a change was never announced: the flags are not to be trusted"
            self._accuse(runner.target, "audit", text, unseen)
        return len(unseen)

    def _accuse(self, cycle: int, what: FaultKind, text: str, symbols: Sequence[str]) -> None:
        more = f" and {len(symbols) - SYMBOLS:,} more" if len(symbols) > SYMBOLS else ""
        self.failed(cycle, what, text, f"cycle {cycle:,}: {', '.join(symbols[:SYMBOLS])}{more}", symbols)


def announced_within_ns(settings: Settings) -> int:
    """How long the feed may take to announce an update: rate limit and two swaps."""
    return int((settings.feed.rate_limit_ms + 2 * settings.feed.min_swap_interval_ms) * MS)
