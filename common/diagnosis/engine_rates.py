"""EngineRates: what the engine does, as rates out of counters."""

from collections.abc import Iterable, Mapping
from typing import Any

from tickflag.common.diagnosis.feed_figures import FeedFigures
from tickflag.common.diagnosis.quantile import quantile_ns
from tickflag.common.diagnosis.totals import Recent, TraderTotals, ratio
from tickflag.common.histogram import LATENCY_BOUNDS_NS
from tickflag.common.units import MS_PER_S, NS_PER_MS, NS_PER_US

LONGEST_S = 20.0
"""The longest time over which rates of the feed are known."""
LATENCY_S = 60.0
FEED_COUNTS = ("updates", "swaps", "flagged")


class EngineRates:
    """Pure: its owner hands in each look. One thread."""

    def __init__(self) -> None:
        self.feed = FeedFigures({"state": "stopped"}, 0, {})
        self.status: Mapping[str, Any] | None = None
        """The collector's last answer to `status`."""
        self._of_feed, self._of_traders = Recent(LONGEST_S), Recent(LATENCY_S)
        self._totals = TraderTotals()
        self._generation = ""

    def look(self, feed: FeedFigures, now_s: float) -> None:
        """The feed's figures now, at a monotonic time."""
        if feed.state.get("generation", "") != self._generation:
            self._generation = feed.state.get("generation", "")
            self._of_feed = Recent(LONGEST_S)
        self.feed = feed
        if "updates" in feed.state:
            counters = {name: feed.state[name] for name in FEED_COUNTS} | {"cycles": feed.ticker_cycles}
            if swap := feed.histograms.get("swap"):
                counters |= {"swap_ns": swap.sum_ns, "swap_count": sum(swap.buckets)}
            self._of_feed.add(now_s, counters)

    def hear(self, status: Mapping[str, Any] | None, now_s: float) -> None:
        """The collector's newest answer to `status`; the same one again changes nothing. None: it does not answer."""
        if status is self.status:
            return
        self.status = status
        if status is None:
            self._of_traders = Recent(LATENCY_S)
        else:
            counters: dict[str, float] = {**self._totals.add(status["traders"])}
            counters |= {f"latency{place}": count for place, count in enumerate(_buckets(status))}
            self._of_traders.add(now_s, counters)

    def rates(self, span_s: float) -> dict[str, float | None]:
        """What happened in about the last `span_s`, by the names of the series; None for what is not known."""
        feed_s, feed = self._of_feed.over(span_s) or (None, {})
        traders_s, traders = self._of_traders.over(span_s) or (None, {})
        processed, skipped = traders.get("processed"), traders.get("skipped")
        work = None if processed is None or skipped is None else processed + skipped
        interval_s, swap_ns = ratio(feed_s, feed.get("cycles")), ratio(feed.get("swap_ns"), feed.get("swap_count"))
        latency_ns = quantile_ns(LATENCY_BOUNDS_NS, _latencies(traders), 0.5)
        return {
            "ticks_per_s": ratio(feed.get("updates"), feed_s),
            "flagged_per_cycle": ratio(feed.get("flagged"), feed.get("swaps")),
            "processed_per_s": ratio(processed, traders_s),
            "efficiency": ratio(skipped, work),
            "cpu_saving": (self.saving or {}).get("value"),
            "swap_time_us": None if swap_ns is None else swap_ns / NS_PER_US,
            "swap_interval_ms": None if interval_s is None else interval_s * MS_PER_S,
            "latency_ms": None if latency_ns is None else latency_ns / NS_PER_MS,
            "matches": None if self.status is None else sum(one["matches"] for one in self.status["traders"]),
        }

    @property
    def saving(self) -> dict[str, float | None] | None:
        """The share of processor time that tracking saves, with its interval; None before the first audit."""
        saving = self.status.get("saving") if self.status else None
        if not saving or saving["saving"] is None:
            return None
        return {"value": saving["saving"], "low": saving["low"], "high": saving["high"]}

    def latency_ms(self) -> dict[str, float | None] | None:
        """The time from a tick to its signal: of the last minute, or without any in it since the collector's start."""
        _, recent = self._of_traders.over(LATENCY_S) or (0.0, {})
        counts: list[float] = _latencies(recent)
        if not sum(counts) and self.status is not None:
            counts = list(_buckets(self.status))
        if not sum(counts):
            return None
        p50, p99 = (quantile_ns(LATENCY_BOUNDS_NS, counts, share) for share in (0.5, 0.99))
        return {"p50": (p50 or 0.0) / NS_PER_MS, "p99": (p99 or 0.0) / NS_PER_MS}


def sums(traders: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The counters of all traders together, as they stand; efficiency is the share of the work that was not needed."""
    listed = list(traders)
    total = {
        name: sum(trader[name] for trader in listed) for name in ("processed", "skipped", "bytes_sent", "bytes_full")
    }
    work = total["processed"] + total["skipped"]
    return {
        "processed": total["processed"],
        "skipped": total["skipped"],
        "efficiency": ratio(total["skipped"], work),
        "bytes_saved": max(0, total["bytes_full"] - total["bytes_sent"]),
        "bytes_full": total["bytes_full"],
    }


def _buckets(status: Mapping[str, Any]) -> list[int]:
    """The counts of the collector's latency; none where it is an older collector or has other bounds."""
    buckets = status["collector"].get("latency", {}).get("buckets", [])
    return list(buckets) if len(buckets) == len(LATENCY_BOUNDS_NS) + 1 else []


def _latencies(counters: Mapping[str, float]) -> list[float]:
    return [counters.get(f"latency{place}", 0.0) for place in range(len(LATENCY_BOUNDS_NS) + 1)]
