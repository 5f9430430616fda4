"""Dependence: checks that a trader's answer depends only on what the trader is given, by many runs on one market.

Every run plays the same moments. Where two runs differ in one thing only and give different matches, the answer depends
on that thing. Only a difference is a fault, so a correct trader is never accused.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, pairwise

from tickflag.common.settings import Settings
from tickflag.common.traderapi import Trader
from tickflag.common.units import NS_PER_S, S_PER_DAY, S_PER_HOUR
from tickflag.services.testing.check.difference import first_difference, first_of_each
from tickflag.services.testing.check.finding import Finding
from tickflag.services.testing.check.reload import FreshLoader
from tickflag.services.testing.check.run import Matches, Run, RunSetup, play
from tickflag.services.testing.check.wall_clock import wall_clock
from tickflag.services.testing.sample import Sample, otherwise, symbols_of, without
from tickflag.services.trader.evaluation.planning.watchlist import WatchList
from tickflag.services.trader.evaluation.plugin.plugin import Plugin

BY_POSITION = "an answer from a sorted data frame keeps the symbols as its index: without them it goes by position"
LATER_NS = (45 * NS_PER_S, (3 * S_PER_HOUR + 17) * NS_PER_S, 5 * S_PER_DAY * NS_PER_S)
WALL_NS = 1_709_650_000 * NS_PER_S
WALL_SHIFTS_S = (7, 97, 613, 18_457, 40_361, 62_383, 224_743, 3_476_281)  # into other minutes, hours and days


class Dependence:
    """Call `findings` once. Raises PluginError where the trader cannot run with these settings, or fails."""

    def __init__(
        self, settings: Settings, loader: FreshLoader, moments: Sample, on_progress: Callable[[], None]
    ) -> None:
        self._loader, self._moments = loader, moments
        self._half = moments[: len(moments) // 2 | 1]  # odd, so that a trader that takes turns is found out
        self._play = partial(play, settings, on_progress=on_progress)

    def findings(self, plugin: Plugin) -> Iterator[Finding]:
        """The findings one by one; none after a fault that could explain later ones."""
        run = self._play(
            self._moments,
            {
                "flagged": RunSetup(plugin),
                "again": RunSetup(self._loader.load()),
                "alone": RunSetup(self._loader.load(), alone=True),
                "full": RunSetup(self._loader.load(), tracking=False),
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
            yield finding
            if finding.level == "fail":
                return

    def _alone(self, moments: Sample, order: Sequence[str] = ()) -> Sequence[Matches]:
        """The matches of a plugin loaded for this run, which evaluates only flagged symbols."""
        return self._play(moments, {"one": RunSetup(self._loader.load())}, order=order).matches["one"]

    def _unrepeatable(self, run: Run) -> Finding | None:
        """A finding where the trader, given the same market, answers differently."""
        again = first_difference(run.matches["flagged"], run.matches["again"])
        one, same, other = (RunSetup(self._loader.load(), tracking=False) for _ in range(3))
        with wall_clock(lambda: WALL_NS, self._loader.modules):
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
        with wall_clock(lambda: WALL_NS + next(shifts_s) * NS_PER_S, self._loader.modules):
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
        """A finding where the trader, having seen later rows, answers differently about earlier ones."""
        again = self._play(self._half, {"again": RunSetup(plugin)}).matches["again"]
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
        """Does a match depend on other symbols, in the same call or anywhere in the market?"""
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
            f'declare `scope="market"`, or `scope="references"` and the symbols as `references`; {BY_POSITION}',
        )

    def _order(self, trader: Trader, run: Run) -> Finding:
        """Does a match depend on the order of the symbols? A ranking may break ties by it; otherwise its answer was
        probably sorted, and taken by position."""
        found = first_difference(
            run.matches["flagged"], self._alone(self._moments, order=symbols_of(self._moments)[::-1])
        )
        if found is None:
            return Finding("order", "ok", "no match depends on the order of the symbols")
        said = f"a match depends on the order of the symbols: {found}"
        if trader.scope == "market":
            return Finding("order", "warn", f"{said}; the order may decide between equals only", BY_POSITION)
        by_itself = "look at each symbol by itself, not at its place in the arrays"
        return Finding("order", "fail", said, f"{by_itself}; {BY_POSITION}")

    def _time(self, trader: Trader, run: Run) -> Finding:
        """Does a match depend on the time alone, with the same rows?"""
        setups = {str(ns): RunSetup(self._loader.load(), tracking=False, later_ns=ns) for ns in LATER_NS}
        later = self._play(self._moments, setups).matches.values()
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
        """Does evaluating what changed give the same as evaluating everything, cycle by cycle?"""
        flagged, full = run.matches["flagged"], run.matches["full"]
        wakes_on_all = trader.channel == "ticker"
        if wakes_on_all and not trader.every:
            found = first_difference(flagged, full)
        elif wakes_on_all or trader.scope == "symbol":
            found = first_of_each(flagged, full, run.changed)
        else:  # the flagged run saw the other symbols as of their last closes, so the two cannot be compared
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
    if moved < 2:  # the first change is the beginning
        return Finding(
            "sample",
            "warn",
            f"matched {'always the same' if ever else 'nothing'} in the sample: the rest of this says little",
            "check it with settings under which symbols enter and leave (--settings)",
        )
    return Finding("sample", "ok", f"{len(ever)} symbols matched; some entered or left in {moved} cycles")
