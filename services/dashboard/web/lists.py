"""Lists of a trader's matches, best first, in the forms that other programs read."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tickflag.common.units import MS_PER_S

Row = Mapping[str, Any]
REFRESH_S = 10
"""After so long a bot should ask again."""
TEXT_TYPES = {"txt": "text/plain; charset=utf-8", "csv": "text/csv; charset=utf-8"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def pair_list(rows: Sequence[Row], _query: Mapping[str, str]) -> dict[str, Any]:
    """For freqtrade's RemotePairList. Each symbol once."""
    return {"pairs": list(dict.fromkeys(row["symbol"] for row in rows)), "refresh_period": REFRESH_S}


def watch_list(rows: Sequence[Row], query: Mapping[str, str]) -> str:
    """For TradingView: symbols with commas, `exchange` of the query before each."""
    exchange = "".join(one for one in query.get("exchange", "") if one.isalnum() or one == "_").upper()
    names = dict.fromkeys(chart_name(row["symbol"]) for row in rows)
    return ",".join(f"{exchange}:{name}" if exchange else name for name in names)


def table(rows: Sequence[Row], _query: Mapping[str, str]) -> str:
    """As CSV with a line of names: every column, times as UTC."""
    if not rows:
        return csv_lines([["symbol", "trader", "score", "note", "entered"]])
    first = [name for name in ("symbol", "trader", "score", "note") if name in rows[0]]
    others = [name for name in rows[0] if name not in (*first, "entered_ms", "mark")]
    lines: list[list[Any]] = [
        [*(row[name] for name in first), utc(row.get("entered_ms")), *(row[name] for name in others)] for row in rows
    ]
    return csv_lines([[*first, "entered", *others], *lines])


LISTS: dict[str, Callable[[Sequence[Row], Mapping[str, str]], Any]] = {
    "json": pair_list,
    "txt": watch_list,
    "csv": table,
}


def chart_name(symbol: str) -> str:
    """As TradingView writes it: BTC/USDT is BTCUSDT, the perpetual contract BTC/USDT:USDT is BTCUSDT.P."""
    base, slash, quote = symbol.partition("/")
    if not slash:
        return symbol
    quote, colon, _settled = quote.partition(":")
    return f"{base}{quote}{'.P' if colon else ''}"


def csv_lines(lines: Iterable[Sequence[Any]]) -> str:
    """Lines of comma-separated values. Every text is quoted, so that no spreadsheet splits it at another sign, and one
    that a spreadsheet would take for a formula gets an apostrophe."""
    output = io.StringIO()
    writer = csv.writer(output, quoting=csv.QUOTE_NONNUMERIC)
    for line in lines:
        writer.writerow([_cell(value) for value in line])
    return output.getvalue()


def utc(time_ms: float | None) -> str:
    """As ISO 8601 with milliseconds; empty where it is not known."""
    if time_ms is None:
        return ""
    return datetime.fromtimestamp(time_ms / MS_PER_S, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
