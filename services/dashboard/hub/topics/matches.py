"""The topic `matches`: a window of the table of all matches, with the tickers of its symbols."""

import numpy as np
from numpy.typing import NDArray

from tickflag.common.units import NS_PER_MS
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.matches.window import Range, SortKey, filtered, ordered
from tickflag.services.dashboard.hub.refusals import NotFound
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments
from tickflag.services.dashboard.hub.topics.topic import Ready, Sight, Topic, Waiting

TICKER_COLUMNS = (
    "last", "bid", "ask", "bid_size", "ask_size", "last_size", "volume", "open_24h", "high_24h", "low_24h",
    "volume_24h", "change_24h",
)  # fmt: skip
OWN_COLUMNS = ("entered_ms", "score")
NUMBER_COLUMNS = (*OWN_COLUMNS, *TICKER_COLUMNS, "age_ms")
SORTED_BY = ("trader", "symbol", *NUMBER_COLUMNS)
MOST_ROWS = 5_000
MOST_FIRST = 10_000_000
STALE_EVERY_S = 2.0


def _matches(arguments: TopicArguments) -> Ready:
    traders = arguments.names("traders")
    text = arguments.text("text", "")
    sort = arguments.sort("sort", SORTED_BY)
    ranges = arguments.ranges("ranges", NUMBER_COLUMNS)
    first = arguments.count("first", 0, MOST_FIRST)
    count = arguments.count("count", 60, MOST_ROWS)
    # For the eye those that have just left stay a while, and a window is never empty; programs want neither.
    exact = arguments.choice("rows", ("seen", "matching"), "seen") == "matching"
    arguments.end()

    def answer(sight: Sight, _trusted: bool) -> Answer:
        collector = sight.collector
        if not collector.ready and not collector.away:
            raise Waiting
        sight.owe_signals()
        _check(sight, traders)
        mark_stale(sight)
        sight.copy_rows()
        table = MatchColumns(sight)
        mask = table.mask(traders, text)
        if exact:
            mask &= table.present()
        rows = filtered(mask, [Range(table.column(name), least, most) for name, least, most in ranges])
        keys = [SortKey(table.column(name), descending) for name, descending in sort]
        total = len(rows)
        start = min(first, total if exact else max(0, total - count))
        rows = ordered(rows, keys, (table.column("trader"), table.column("symbol")))[start : start + count]
        names = collector.table
        marks = names.marks(rows, sight.now_ms)
        return Answer(
            {
                "total": total,
                "first": start,
                "matching": table.matching(mask),
                "traders": sorted(collector.table.counts()),
                "seq": collector.seq,
                "away": collector.away,
            },
            rows=len(rows),
            numbers={name: table.column(name, rows) for name in NUMBER_COLUMNS} | {"mark": marks},
            texts={
                "trader": [names.traders.names[number] for number in names.trader[rows].tolist()],
                "symbol": [names.symbols.names[number] for number in names.symbol[rows].tolist()],
                "note": [names.notes[row] for row in rows.tolist()],
            },
        )

    return answer


def _check(sight: Sight, traders: tuple[str, ...] | None) -> None:
    """Raises NotFound for a trader that nobody knows."""
    known = {trader["name"] for trader in (sight.ask("collector", "status") or {"traders": []})["traders"]}
    for trader in traders or ():
        if known and trader not in known and sight.collector.table.traders.find(trader) is None:
            raise NotFound(f"no trader {trader!r}: known are {', '.join(sorted(known))}")


def mark_stale(sight: Sight) -> None:
    """Tell the table which matches may be out of date."""
    stale: dict[str, list[str] | None] = {}
    for trader in (sight.ask("collector", "status") or {"traders": []})["traders"]:
        if sight.collector.away or (trader["stale"] and trader["stale"] >= trader["matches"]):
            stale[trader["name"]] = None
        elif trader["stale"]:
            found = sight.ask("collector", "matches", STALE_EVERY_S, trader=trader["name"])
            stale[trader["name"]] = found["stale_symbols"] if found else []
    sight.collector.table.set_stale(stale)


class MatchColumns:
    """The columns of the table of matches as of one look, each made when it is asked for."""

    def __init__(self, sight: Sight) -> None:
        self._table, self._sight = sight.collector.table, sight
        self._count = self._table.count
        self._made: dict[str, NDArray[np.float64] | NDArray[np.int64]] = {}
        self._slots: NDArray[np.int64] | None = None

    def mask(self, traders: tuple[str, ...] | None, text: str) -> NDArray[np.bool_]:
        """The rows of these traders whose trader or symbol has the text in its name."""
        table, count = self._table, self._count
        mask = np.ones(count, np.bool_)
        if traders is not None:
            numbers = [number for number in map(table.traders.find, traders) if number is not None]
            mask &= np.isin(table.trader[:count], numbers)
        if text:
            by_symbol = table.symbols.containing(text)[table.symbol[:count]]
            mask &= by_symbol | table.traders.containing(text)[table.trader[:count]]
        return mask

    def matching(self, mask: NDArray[np.bool_]) -> int:
        """How many rows of the mask match now; the others have just left."""
        return int(np.count_nonzero(mask & self.present()))

    def present(self) -> NDArray[np.bool_]:
        """The rows that match now."""
        present: NDArray[np.bool_] = np.isnan(self._table.left_ms[: self._count])
        return present

    def column(self, name: str, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64] | NDArray[np.int64]:
        """The values by row, or those of some rows."""
        if rows is not None and name not in self._made:
            return self._values(name, rows)
        if name not in self._made:
            self._made[name] = self._values(name, np.arange(self._count))
        return self._made[name] if rows is None else self._made[name][rows]

    def _values(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64] | NDArray[np.int64]:
        table = self._table
        if name == "trader":
            return table.traders.ranks()[table.trader[rows]]
        if name == "symbol":
            return table.symbols.ranks()[table.symbol[rows]]
        if name in OWN_COLUMNS:
            found: NDArray[np.float64] = getattr(table, name)[rows]
            return found
        slots = self._slot_of()[table.symbol[rows]]
        tickers = self._sight.market.tickers
        values = np.full(len(rows), np.nan)
        there = (slots >= 0) & (slots < len(tickers))
        if name == "age_ms":
            event_ns = tickers["event_ns"][slots[there]]
            values[there] = np.where(event_ns > 0, self._sight.now_ms - event_ns / NS_PER_MS, np.nan)
        else:
            values[there] = tickers[name][slots[there]]
        return values

    def _slot_of(self) -> NDArray[np.int64]:
        """By number of the symbol: its slot; -1 where the segment does not have it."""
        if self._slots is None:
            self._slots = self._sight.slots.of(self._table.symbols, self._sight.market)
        return self._slots


TOPICS = (Topic("matches", _matches, 0.0, follows=True),)
