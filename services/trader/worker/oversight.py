"""Oversight: tells the collector of a trader what its results do not: failed cycles, bad flags and rows, audits."""

import random
import time
from collections.abc import Callable, Sequence

from tickflag.common.errors import PluginError
from tickflag.common.settings import Settings
from tickflag.common.settings_schema.feed import STALE_BEATS
from tickflag.common.units import NS_PER_MS
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Audit, FaultKind
from tickflag.services.trader.evaluation.auditor import Sampler
from tickflag.services.trader.evaluation.results import Tally
from tickflag.services.trader.evaluation.runner import Runner
from tickflag.services.trader.evaluation.switches import Switches
from tickflag.services.trader.worker.reports import SYMBOLS, Reports


class Oversight:
    """Oversees one trader. `send` gives False for a message that it could not send. One thread."""

    def __init__(
        self,
        trader: str,
        incarnation: int,
        settings: Settings,
        switches: Switches,
        tally: Tally,
        send: Callable[[bytes], bool],
    ) -> None:
        self._trader, self._incarnation, self._tally, self._send = trader, incarnation, tally, send
        self._switches = switches
        self._reports = Reports(send)
        self._reported: set[tuple[str, int]] = set()  # (kind, cycle) of the faults in the last cycle that had any
        self._sampler = Sampler(settings.audit.share, settings.audit.budget, random.Random())
        self._has_share = settings.audit.share > 0
        self.clock = time.monotonic_ns
        self._locked_from_ns = 0  # since when rows stay locked; 0: no row does
        self._locked_limit_ns = int(STALE_BEATS * settings.feed.heartbeat_ms * NS_PER_MS)

    def failed(self, cycle: int, what: FaultKind, text: str, stack: str = "", symbols: Sequence[str] = ()) -> None:
        """Tell the collector of a fault: of each kind once a cycle, however often the cycle is tried."""
        if (what, cycle) in self._reported:
            return
        self._reported = {known for known in self._reported if known[1] == cycle} | {(what, cycle)}
        self._reports.fault(self._trader, self._incarnation, cycle, what, text, stack, self._tally.cycles, symbols)

    def after_cycle(
        self,
        runner: Runner,
        time_ns: int,
        now_ns: int,
        between: Callable[[], None],
        part_ns: int,
        processed: int,
        lost_closes: bool,
    ) -> None:
        """After a cycle that succeeded at UTC `time_ns`: tell what was wrong in it, and audit it where it is chosen.

        The cycle took `part_ns` of processor time and evaluated `processed` symbols; with `lost_closes` it came too
        late for some closed candles.
        """
        trouble = runner.pop_trouble()
        if trouble:
            self.failed(runner.target, "flags", trouble)
        if lost_closes:
            self.failed(runner.target, "gap", "closed candles were overwritten before they were evaluated")
        if not self._sampler.wants(now_ns) or not self._switches.audits:
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
            time_ms=time_ns // NS_PER_MS,
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
        """Send waiting reports; look for changes that were never announced, and rows that stay locked. Call it
        often."""
        self._reports.flush()
        if runner is None:
            return
        if self._has_share and self._switches.audits:
            self._tell_unseen(runner)
        if not runner.rows_locked or not feed_lives:
            self._locked_from_ns = 0
        elif not self._locked_from_ns:
            self._locked_from_ns = now_ns
        elif now_ns - self._locked_from_ns > self._locked_limit_ns:
            self._locked_from_ns = now_ns
            self.failed(runner.target, "buffer", "rows stay locked though the feed lives")

    def beat(self, runner: Runner | None) -> None:
        """Note which changes are not evaluated yet. Call it at each heartbeat."""
        if runner is not None and self._has_share and self._switches.audits:
            runner.auditor.note_pending(self.clock)

    def _tell_unseen(self, runner: Runner) -> int:
        """Report the changes that were never announced, and have them evaluated; gives their number."""
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
    return int((settings.feed.rate_limit_ms + 2 * settings.feed.min_swap_interval_ms) * NS_PER_MS)
