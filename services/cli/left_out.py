"""left_out_line: says how many updates were left out of the figures, and of which symbols."""

from collections.abc import Mapping

from tickflag.services.cli.output import one_line

LEFT_OUT = {
    "late_ticks": "late for their candle, which was closed without them",
    "double_trades": "trades that came twice and count once",
    "impossible_times": "refused because their time is impossible",
}
"""What the kinds of `MarketWriter.left_out`, which are counters of the segment, mean."""
SHOWN = 3  # symbols


def left_out_line(kind: str, count: int, symbols: Mapping[str, int]) -> str:
    """A line with the symbols that have most; `symbols` may be some of them, most first."""
    named = [f"{one_line(symbol)} {number:,}" for symbol, number in symbols.items() if symbol]
    more = ", ..." if sum(list(symbols.values())[:SHOWN]) < count else ""
    shown = f" ({', '.join(named[:SHOWN])}{more})" if named else ""
    return f"{LEFT_OUT.get(kind, kind)}: {count:,} update{'' if count == 1 else 's'}{shown}"
