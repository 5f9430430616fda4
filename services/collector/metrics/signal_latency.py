"""SignalLatency: how long signals were on their way, from the tick to their publication, by trader."""

from typing import Any

from tickflag.common.histogram import LATENCY_BOUNDS_NS, Counts, Histogram
from tickflag.services.collector.core import ResultMessage


class SignalLatency:
    """One thread. A result counts once, however many signals came of it, and only if it tells its oldest update.

    The first result of an incarnation does not count: it covers updates that a former worker has reported.
    """

    def __init__(self) -> None:
        self._histograms: dict[str, Histogram] = {}
        self._unpublished: list[tuple[str, int]] = []

    def begin(self, message: ResultMessage) -> None:
        """Note a message that gave signals; they are not published yet."""
        if message.kind in ("delta", "snapshot") and message.oldest_ns and message.seq > 1:
            self._unpublished.append((message.trader, message.oldest_ns))

    def published(self, now_ns: int) -> None:
        """All signals so far were published, at the monotonic time `now_ns`."""
        for trader, oldest_ns in self._unpublished:
            if trader not in self._histograms:
                self._histograms[trader] = Histogram(LATENCY_BOUNDS_NS)
            self._histograms[trader].add(now_ns - oldest_ns)
        self._unpublished.clear()

    def forget(self, trader: str) -> None:
        """Drop a trader that is gone for good."""
        self._histograms.pop(trader, None)

    def counts(self) -> dict[str, Counts]:
        """Trader -> counts since the collector was started."""
        return {trader: histogram.counts() for trader, histogram in self._histograms.items()}

    def overall(self) -> dict[str, Any]:
        """The counts over all present traders, as plain values; `buckets` are by LATENCY_BOUNDS_NS."""
        buckets = [0] * (len(LATENCY_BOUNDS_NS) + 1)
        for histogram in self._histograms.values():
            buckets = [count + more for count, more in zip(buckets, histogram.buckets, strict=True)]
        return {"sum_ns": sum(histogram.sum_ns for histogram in self._histograms.values()), "buckets": buckets}
