"""Naming: finds the columns of a recording in a table, as the user says or by the usual names."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tickflag.common.errors import TickflagError
from tickflag.common.recordings.checks import KLINE_NUMBERS

Kind = Literal["ticks", "klines"]

RECORDED_TICK_NUMBERS = ("price", "qty", "bid", "ask", "bid_size", "ask_size")

# Usual names in small letters and digits, the surest first. Ticks have `time` as ts_ns, candles as open_time_ms.
_TIME = ("tsns", "opentimems", "opentime", "ts", "timestamp", "unix", "unixtime", "unixtimestamp", "epoch", "datetime",
         "time", "timeofday", "date", "transactiontime", "eventtime", "tradetime", "transacttime", "tsevent",
         "siptimestamp", "participanttimestamp", "windowstart", "gmttime", "timens", "timeus", "timems", "times",
         "start", "starttime", "t",
         "indexlevel0")  # fmt: skip # the last: as which pandas writes an index without a name
_DATE = ("date", "day", "tradedate", "tradingday")
_SYMBOL = ("symbol", "ticker", "instrument", "pair", "market", "productid", "sym", "isin")
NAMES: dict[Kind, dict[str, tuple[str, ...]]] = {
    "ticks": {
        "time": _TIME,
        "date": _DATE,
        "symbol": _SYMBOL,
        "price": ("price", "last", "lastprice", "tradeprice", "px", "p"),
        "qty": ("qty", "quantity", "size", "amount", "volume", "lastsize", "lastqty", "tradesize", "q", "vol", "v"),
        "bid": ("bid", "bidprice", "bestbid", "bestbidprice", "bidpx", "bidp", "bid1"),
        "ask": ("ask", "askprice", "bestask", "bestaskprice", "askpx", "askp", "ask1", "offer", "offerprice"),
        "bid_size": ("bidsize", "bidqty", "bidamount", "bidvolume", "bestbidqty", "bestbidsize", "bidv"),
        "ask_size": ("asksize", "askqty", "askamount", "askvolume", "bestaskqty", "bestasksize", "askv", "offersize"),
        "trade_id": ("tradeid", "lasttradeid", "tid", "id"),
    },
    "klines": {
        "time": _TIME,
        "date": _DATE,
        "symbol": _SYMBOL,
        "interval": ("interval", "timeframe", "period", "resolution"),
        "open": ("open", "openprice", "o"),
        "high": ("high", "highprice", "h"),
        "low": ("low", "lowprice", "l"),
        "close": ("close", "closeprice", "c"),
        "volume": ("volume", "vol", "basevolume", "volumebase", "v", "qty", "quantity"),
        "trades": ("trades", "count", "numberoftrades", "tradecount", "numtrades", "transactions", "n"),
    },
}
OURS = sorted({name for names in NAMES.values() for name in names})
_NEEDED: dict[Kind, tuple[str, ...]] = {"ticks": (), "klines": KLINE_NUMBERS}


@dataclass(frozen=True, slots=True)
class ColumnRequest:
    """What a user says about a table; the rest is found by the usual names."""

    kind: Kind | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """A recording's column (`OURS`) -> the table's."""
    symbol: str = ""
    """The symbol of every row, for a table without such a column."""
    interval: str = ""
    """The interval of every candle, for a table without such a column."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The kind of recording, and the recording's columns -> the table's. A column that was not found has no entry."""

    kind: Kind
    columns: Mapping[str, str]
    fixed_point: bool = False
    """Whether prices without decimals may be in units of 1e-9, as in files of Databento."""


def named(names: Sequence[str], wanted: ColumnRequest) -> Naming:
    """Find every column. Raises TickflagError naming the column that is missing, unknown or there twice."""
    for name in names:
        if name and names.count(name) > 1:  # spreadsheets write columns without name or value
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
            f"{missing[0].partition(',')[0]}=NAME` or the argument `columns`{_constant(missing[0])}"
        )
    return Naming(kind, columns, {"rtype", "publisherid"} <= {_plain(name) for name in names})


def _constant(ours: str) -> str:
    example = {"symbol": "BTCUSDT", "interval": "5m"}.get(ours)
    return "" if example is None else f"; or what it is in every row, as `--{ours} {example}` or `{ours}={example!r}`"


def columns_found(names: Sequence[str], wanted: ColumnRequest) -> frozenset[str]:
    """The recording's columns that a table has under usual names, or as the user says."""
    kind = wanted.kind or _kind(names, wanted)
    return frozenset(_matched(names, kind, wanted))


def _kind(names: Sequence[str], wanted: ColumnRequest) -> Kind:
    """Candles, if the table has four prices."""
    found = _matched(names, "klines", wanted)
    return "klines" if found.keys() >= {"open", "high", "low", "close"} else "ticks"


def _matched(names: Sequence[str], kind: Kind, wanted: ColumnRequest) -> dict[str, str]:
    usual: dict[str, str] = {}
    for name in names:
        usual.setdefault(_plain(name), name)
    taken = set(wanted.columns.values())
    found = {ours: theirs for ours, theirs in wanted.columns.items() if ours in NAMES[kind]}
    for ours, known in NAMES[kind].items():
        if ours in found or (ours == "symbol" and wanted.symbol) or (ours == "interval" and wanted.interval):
            continue
        if ours == "date" and "time" in wanted.columns:
            continue  # which says it all
        theirs = next((usual[name] for name in known if name in usual and usual[name] not in taken), None)
        if theirs is not None:
            found[ours] = theirs
            taken.add(theirs)
    return found


def _plain(name: str) -> str:
    """A column's name in small letters and digits."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
