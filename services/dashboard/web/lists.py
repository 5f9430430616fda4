"""Lists of a trader's matches, best first, in the forms that other programs read."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tickflag.common.units import MS_PER_S

Row = Mapping[str, Any]
REFRESH_S = 10
"""After so long a bot should ask again."""
TEXT_TYPES = {"txt": "text/plain; charset=utf-8", "csv": "text/csv; charset=utf-8"}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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
        return "symbol,trader,score,note,entered\r\n"
    first = [name for name in ("symbol", "trader", "score", "note") if name in rows[0]]
    others = [name for name in rows[0] if name not in (*first, "entered_ms", "mark")]
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow([*first, "entered", *others])
    for row in rows:
        writer.writerow(
            [*(_cell(row[name]) for name in first), _utc(row.get("entered_ms")), *(_cell(row[name]) for name in others)]
        )
    return output.getvalue()


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


def _cell(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _utc(time_ms: float | None) -> str:
    if time_ms is None:
        return ""
    return datetime.fromtimestamp(time_ms / MS_PER_S, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
