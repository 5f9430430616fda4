"""LeftOut: tells of the updates that the market left out: late ones, doubles, and those at impossible times."""

from datetime import UTC, datetime
from itertools import islice

from tickflag.common.log import Logger
from tickflag.common.segment.layout import COUNTER
from tickflag.common.units import NS_PER_S
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.feed.market.state import LEFT_OUT

QUIET_NS = 60 * NS_PER_S  # between two warnings
NAMED = 10  # symbols at most


class LeftOut:
    """Follows the counters of a market. One thread."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._told = (0,) * len(LEFT_OUT)
        self._quiet_until_ns = 0

    def tell(self, market: MarketWriter, now_ns: int) -> None:
        """Warn where more was left out since the last warning; at most once a minute. `now_ns` is monotonic."""
        living = market.segment.arrays.living
        counts = tuple(int(living[COUNTER[name]]) for name in LEFT_OUT)
        if counts == self._told or now_ns < self._quiet_until_ns:
            return
        self._quiet_until_ns = now_ns + QUIET_NS
        fields = {name: count for name, count, told in zip(LEFT_OUT, counts, self._told, strict=True) if count > told}
        self._told = counts
        symbols = most(market)
        named = [f"{symbol} {count}" for name in fields for symbol, count in islice(symbols[name].items(), 3)]
        stray = market.stray() if "impossible_times" in fields else None
        if stray is not None:
            symbol, event_ns, recv_ns = stray
            named.append(f"the last of {symbol} at {_utc(event_ns)}, received at {_utc(recv_ns)}")
        self._log.warning("updates left out", **fields, symbols=", ".join(named))


def most(market: MarketWriter) -> dict[str, dict[str, int]]:
    """Kind -> the symbols of which most was left out -> how often."""
    return {kind: dict(islice(symbols.items(), NAMED)) for kind, symbols in market.left_out().items()}


def _utc(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%Y-%m-%d %H:%M:%S}"
