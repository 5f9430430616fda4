"""Naming: which column of a table is which of a recording's, told by the user or by its usual names."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from common.errors import TickflagError
from common.recordings.checks import KLINE_NUMBERS

Kind = Literal["ticks", "klines"]

TICK_NUMBERS = ("price", "qty", "bid", "ask", "bid_size", "ask_size")

# Usual names in small letters and digits, the surest first. `time` is ts_ns of ticks and open_time_ms of klines.
_TIME = ("tsns", "opentimems", "opentime", "ts", "timestamp", "time", "datetime", "date", "eventtime", "tradetime",
         "transacttime", "timens", "timeus", "timems", "times", "start", "starttime", "t")  # fmt: skip
_SYMBOL = ("symbol", "ticker", "instrument", "pair", "market", "productid", "sym", "isin")
NAMES: dict[Kind, dict[str, tuple[str, ...]]] = {
    "ticks": {
        "time": _TIME,
        "symbol": _SYMBOL,
        "price": ("price", "last", "lastprice", "tradeprice", "px", "p"),
        "qty": ("qty", "quantity", "size", "amount", "volume", "lastsize", "lastqty", "tradesize", "q", "vol", "v"),
        "bid": ("bid", "bidprice", "bestbid", "bestbidprice", "bidpx", "bidp", "bid1"),
        "ask": ("ask", "askprice", "bestask", "bestaskprice", "askpx", "askp", "ask1", "offer", "offerprice"),
        "bid_size": ("bidsize", "bidqty", "bidamount", "bidvolume", "bestbidqty", "bestbidsize", "bidv"),
        "ask_size": ("asksize", "askqty", "askamount", "askvolume", "bestaskqty", "bestasksize", "askv", "offersize"),
    },
    "klines": {
        "time": _TIME,
        "symbol": _SYMBOL,
        "interval": ("interval", "timeframe", "period", "resolution"),
        "open": ("open", "openprice", "o"),
        "high": ("high", "highprice", "h"),
        "low": ("low", "lowprice", "l"),
        "close": ("close", "closeprice", "c"),
        "volume": ("volume", "vol", "basevolume", "volumebase", "v", "qty", "quantity"),
        "trades": ("trades", "count", "numberoftrades", "tradecount", "numtrades", "n"),
    },
}
OURS = sorted({name for names in NAMES.values() for name in names})
_NEEDED: dict[Kind, tuple[str, ...]] = {"ticks": (), "klines": KLINE_NUMBERS}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user says of a table; all else is found out."""

    kind: Kind | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """A recording's column (`OURS`) -> the table's."""
    symbol: str = ""
    """The symbol of every row, for a table without such a column."""
    interval: str = ""
    """The interval of every candle, the same way."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The kind of recording, and its columns -> those of the table. A column that is not there has no entry."""

    kind: Kind
    columns: Mapping[str, str]


def named(names: Sequence[str], wanted: Wanted) -> Naming:
    """Find every column. Raises TickflagError naming the one that is missing, not known or there twice."""
    for name in names:
        if names.count(name) > 1:
            raise TickflagError(f"the column {name!r} is there {names.count(name)} times")
    for ours, theirs in wanted.columns.items():
        if ours not in OURS:
            raise TickflagError(f"a recording has no column {ours!r}; its columns are {', '.join(OURS)}")
        if theirs not in names:
            near = difflib.get_close_matches(theirs, names, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise TickflagError(f"there is no column {theirs!r} for {ours}{hint}; there are {_listed(names)}")
    kind = wanted.kind or _kind(names, wanted)
    columns = _matched(names, kind, wanted)
    needed = ["time", *_NEEDED[kind]]
    needed += [] if wanted.symbol else ["symbol"]
    needed += [] if wanted.interval or kind == "ticks" else ["interval"]
    missing = [ours for ours in needed if ours not in columns]
    if kind == "ticks" and not missing and not columns.keys() & {"price", "bid", "ask"}:
        missing = ["price, bid or ask"]
    if missing:
        raise TickflagError(
            f"no column is named as {missing[0]} of {kind}; there are {_listed(names)}: say which it is, by `--column "
            f"{missing[0].partition(',')[0]}=NAME` or the argument `columns`"
        )
    return Naming(kind, columns)


def _kind(names: Sequence[str], wanted: Wanted) -> Kind:
    """Candles have four prices."""
    found = _matched(names, "klines", wanted)
    return "klines" if found.keys() >= {"open", "high", "low", "close"} else "ticks"


def _matched(names: Sequence[str], kind: Kind, wanted: Wanted) -> dict[str, str]:
    usual: dict[str, str] = {}
    for name in names:
        usual.setdefault(re.sub(r"[^a-z0-9]", "", name.lower()), name)
    taken = set(wanted.columns.values())
    found = {ours: theirs for ours, theirs in wanted.columns.items() if ours in NAMES[kind]}
    for ours, known in NAMES[kind].items():
        if ours in found or (ours == "symbol" and wanted.symbol) or (ours == "interval" and wanted.interval):
            continue
        theirs = next((usual[name] for name in known if name in usual and usual[name] not in taken), None)
        if theirs is not None:
            found[ours] = theirs
            taken.add(theirs)
    return found


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
