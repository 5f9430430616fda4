"""SignalLatency: which results count, and with which time."""

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tickflag.services.collector.metrics.signal_latency import SignalLatency

MS_NS = 1_000_000


def _counted(latency: SignalLatency) -> dict[str, tuple[int, int]]:
    """Trader -> the sum of its times, and how many there are."""
    return {trader: (counts.sum_ns, sum(counts.buckets)) for trader, counts in latency.counts().items()}


def test_a_result_counts_when_it_is_published() -> None:
    """From its oldest update until the publication; once, whenever that is."""
    trader, latency = FakeTrader(), SignalLatency()
    trader.snapshot()
    latency.begin(trader.change(A=1.0).model_copy(update={"oldest_ns": 10 * MS_NS}))
    latency.begin(trader.snapshot().model_copy(update={"oldest_ns": 12 * MS_NS}))
    assert _counted(latency) == {}
    latency.published(15 * MS_NS)
    latency.published(99 * MS_NS)
    assert _counted(latency) == {"breakout": (8 * MS_NS, 2)}


def test_what_covers_no_known_update_does_not_count() -> None:
    """The first result of an incarnation covers what its predecessor reported; a snapshot on request covers nothing;
    a roster that retires a trader is no result."""
    trader, latency = FakeTrader(), SignalLatency()
    latency.begin(trader.snapshot().model_copy(update={"oldest_ns": 5}))
    latency.begin(trader.snapshot(token=3))
    latency.begin(roster())
    latency.published(9)
    assert _counted(latency) == {}


def test_a_trader_that_is_gone_is_forgotten() -> None:
    """Forgetting one that never counted does nothing."""
    trader, latency = FakeTrader(), SignalLatency()
    trader.snapshot()
    latency.begin(trader.change(A=1.0).model_copy(update={"oldest_ns": 10}))
    latency.published(20)
    latency.forget("breakout")
    latency.forget("other")
    assert _counted(latency) == {}
