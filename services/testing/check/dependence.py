"""Dependence: does a trader's answer depend only on what it is given? Runs it in many ways over one generated market.

Every run plays the same moments. Two runs that differ in one thing only, and come to different matches, show that the
answer depends on that thing. Where nothing differs nothing is said, so a correct trader is not accused.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, pairwise

from common.settings import Settings
from common.traderapi import Trader
from services.testing.difference import first_difference, first_of_each
from services.testing.finding import Finding
from services.testing.fresh import Fresh
from services.testing.run import Matches, Run, Seating, play
from services.testing.sample import Sample, otherwise, symbols_of, without
from services.testing.wall_clock import wall_clock
from services.trader.plugin import Plugin
from services.trader.watchlist import WatchList

S = 1_000_000_000
HOUR = 3_600
LATER_NS = (45 * S, (3 * HOUR + 17) * S, 5 * 24 * HOUR * S)
WALL_NS = 1_709_650_000 * S
WALL_SHIFTS_S = (7, 97, 613, 18_457, 40_361, 62_383, 224_743, 3_476_281)  # other minutes, hours and days


class Dependence:
    """`findings` once. Raises PluginError where the trader cannot run with these settings, or fails."""

    def __init__(self, settings: Settings, fresh: Fresh, moments: Sample, turn: Callable[[], None]) -> None:
        self._fresh, self._moments = fresh, moments
        self._half = moments[: len(moments) // 2 | 1]  # odd, so that a trader that takes turns is found out
        self._play = partial(play, settings, turn=turn)

    def findings(self, plugin: Plugin) -> Iterator[Finding]:
        """As they come; after one that explains the others, no more."""
        run = self._play(
            self._moments,
            {
                "flagged": Seating(plugin),
                "again": Seating(self._fresh.load()),
                "alone": Seating(self._fresh.load(), alone=True),
                "full": Seating(self._fresh.load(), tracking=False),
            },
        )
        yield Finding("runs", "ok", f"{len(self._moments)} cycles of {len(symbols_of(self._moments))} symbols")
        yield _sampled(run.matches["flagged"])
        fault = self._unrepeatable(run) or self._remembers(plugin, run)
        if fault is not None:
            yield fault
            return
        yield Finding("repeatable", "ok", "the same market gives the same matches")
        for check in (self._others, self._order, self._time, self._tracking):
            finding = check(plugin.trader, run)
            if finding is not None:
                yield finding
                if finding.level == "fail":
                    return

    def _alone(self, moments: Sample, order: Sequence[str] = ()) -> Sequence[Matches]:
        """The matches of a plugin of its own, processing what is flagged."""
        return self._play(moments, {"one": Seating(self._fresh.load())}, order=order).matches["one"]

    def _unrepeatable(self, run: Run) -> Finding | None:
        """It answers differently though nothing that it is given differs."""
        again = first_difference(run.matches["flagged"], run.matches["again"])
        one, same, other = (Seating(self._fresh.load(), tracking=False) for _ in range(3))
        with wall_clock(lambda: WALL_NS, self._fresh.modules):
            still = self._play(self._moments, {"one": one, "same": same}).matches
        random = first_difference(still["one"], still["same"])
        if random is not None:
            return Finding(
                "repeatable",
                "fail",
                f"the same market gave other matches the second time: {random}",
                "use no random numbers, and nothing from outside: files, networks, other processes",
            )
        shifts_s = cycle(WALL_SHIFTS_S)
        with wall_clock(lambda: WALL_NS + next(shifts_s) * S, self._fresh.modules):
            moved = self._play(self._moments, {"one": other}).matches["one"]
        clock = again or first_difference(still["one"], moved)
        if clock is None:
            return None
        return Finding(
            "repeatable",
            "fail",
            f"the matches follow the wall clock: {clock}",
            "ask `time_ns` of market or symbol instead: a replay repeats it",
        )

    def _remembers(self, plugin: Plugin, run: Run) -> Finding | None:
        """Having seen what comes later, it answers differently about what came before."""
        again = self._play(self._half, {"again": Seating(plugin)}).matches["again"]
        found = first_difference(run.matches["flagged"], again)
        if found is None:
            return None
        return Finding(
            "repeatable",
            "fail",
            f"having seen later rows, it answered differently about earlier ones: {found}",
            "keep nothing between calls in globals, closures or objects: declare `state` for what a symbol needs",
        )

    def _others(self, trader: Trader, run: Run) -> Finding:
        """Other symbols, in the same call or in the market at all."""
        flagged = run.matches["flagged"]
        watch = WatchList(trader.watch, trader.exclude, 0)
        symbols = [symbol for symbol in symbols_of(self._moments) if symbol not in trader.references]
        kept = [symbol for symbol in symbols if watch.wants(symbol)][::2]
        dropped = set(symbols).difference(kept)
        found = None if trader.scope == "market" else first_difference(flagged, run.matches["alone"])
        for changed in (otherwise, without):
            found = found or first_difference(flagged, self._alone(changed(self._moments, dropped)), kept)
        if trader.scope == "market":
            if found is None and any(flagged):
                return Finding(
                    "others",
                    "warn",
                    "no match depended on other symbols, yet the scope is `market`: all are evaluated at every change",
                    'leave out `scope="market"`, where that holds for every market',
                )
            return Finding("others", "ok", "sees the whole market, as declared")
        if found is None:
            return Finding("others", "ok", "no match depends on other symbols than declared")
        return Finding(
            "others",
            "fail",
            f"a match depends on other symbols: {found}",
            'declare `scope="market"`, or `scope="references"` and the symbols as `references`',
        )

    def _order(self, trader: Trader, run: Run) -> Finding | None:
        """The order of the symbols. A ranking may break ties by it."""
        if trader.scope == "market":
            return None
        found = first_difference(
            run.matches["flagged"], self._alone(self._moments, order=symbols_of(self._moments)[::-1])
        )
        if found is None:
            return Finding("order", "ok", "no match depends on the order of the symbols")
        return Finding(
            "order",
            "fail",
            f"a match depends on the order of the symbols: {found}",
            "look at each symbol by itself, not at its place in the arrays",
        )

    def _time(self, trader: Trader, run: Run) -> Finding:
        """The time alone, with the same rows."""
        seatings = {str(ns): Seating(self._fresh.load(), tracking=False, later_ns=ns) for ns in LATER_NS}
        later = self._play(self._moments, seatings).matches.values()
        found = next(filter(None, (first_difference(run.matches["full"], one) for one in later)), None)
        if found is None:
            return Finding("time", "ok", "no match depends on the time alone")
        if trader.every or trader.scope == "market":
            when = f"every {trader.every:g} s" if trader.every else "whenever anything changes"
            return Finding("time", "ok", f"matches depend on the time, and all are evaluated {when}")
        return Finding(
            "time",
            "fail",
            f"a match depends on the time alone: {found}; while a symbol is quiet, nobody asks about it",
            "declare `every`, in seconds: how often all symbols are evaluated besides",
        )

    def _tracking(self, trader: Trader, run: Run) -> Finding:
        """Processing what changed against processing everything, cycle by cycle."""
        flagged, full = run.matches["flagged"], run.matches["full"]
        wakes_on_all = trader.channel == "ticker"
        if wakes_on_all and not trader.every:
            found = first_difference(flagged, full)
        elif wakes_on_all or trader.scope == "symbol":
            found = first_of_each(flagged, full, run.changed)
        else:  # what it saw of the others is as old as their last closed candle
            found = None
        if found is not None:
            return Finding(
                "tracking",
                "fail",
                f"evaluating only what changed gives other matches than evaluating all: {found}",
                "let the answer depend on the arguments alone",
            )
        if not wakes_on_all and first_difference(flagged, full) is not None:
            return Finding(
                "tracking",
                "warn",
                "it looks at more than closed candles, but wakes on these alone: between two of them a match stays as "
                f"it was at the last close of a {trader.channel} candle",
                'if it should follow every change, use `channel="ticker"`',
            )
        return Finding("tracking", "ok", "evaluating only what changed gives the same as evaluating all")


def _sampled(matches: Sequence[Matches]) -> Finding:
    """Whether the sample says anything about the trader."""
    ever = {symbol for one in matches for symbol in one}
    moved = sum(one.keys() != other.keys() for one, other in pairwise(matches))
    if moved < 2:  # once is the beginning
        return Finding(
            "sample",
            "warn",
            f"matched {'always the same' if ever else 'nothing'} in the sample: the rest of this says little",
            "check it with settings under which symbols enter and leave (--settings)",
        )
    return Finding("sample", "ok", f"{len(ever)} symbols matched; some entered or left in {moved} cycles")
