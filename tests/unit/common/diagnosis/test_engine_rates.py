"""EngineRates: rates are differences of counters, totals are the counters."""

from typing import Any

import pytest

from tickflag.common.diagnosis.engine_rates import EngineRates, sums
from tickflag.common.diagnosis.feed_figures import FeedFigures
from tickflag.common.diagnosis.totals import TRADER_COUNTS
from tickflag.common.histogram import LATENCY_BOUNDS_NS, Counts

MS_NS = 1_000_000


def _feed(scale: int, generation: str = "a") -> FeedFigures:
    state = {"state": "running", "generation": generation}
    counters = {"updates": 1_000 * scale, "swaps": 20 * scale, "flagged": 300 * scale}
    swap = Counts(500_000 * scale, [10 * scale, 0])
    return FeedFigures({**state, **counters}, 10 * scale, {"swap": swap, "cycle": Counts(0, [])})


def _status(processed: int, skipped: int, slow: int = 0, **fields: Any) -> dict[str, Any]:
    line = {
        **dict.fromkeys(TRADER_COUNTS, 0), "name": "rsi", "incarnation": 1, "processed": processed, "skipped": skipped,
        "bytes_sent": 40, "bytes_full": 100, "matches": 7,
    }  # fmt: skip
    buckets = [0] * (len(LATENCY_BOUNDS_NS) + 1)
    buckets[3] = slow
    return {"traders": [line], "collector": {"latency": {"buckets": buckets}}, "saving": None, **fields}


def test_rates_are_differences_of_counters() -> None:
    """Over the time between two looks; nothing is known after one."""
    figures = EngineRates()
    figures.look(_feed(1), 10.0)
    figures.hear(_status(100, 900), 10.0)
    assert {name for name, value in figures.rates(1.0).items() if value is not None} == {"matches"}
    figures.look(_feed(3), 12.0)
    figures.hear(_status(150, 1_050, slow=4), 12.0)
    assert figures.rates(1.0) == {
        "ticks_per_s": 1_000.0,
        "flagged_per_cycle": 15.0,
        "processed_per_s": 25.0,
        "efficiency": 0.75,
        "cpu_saving": None,
        "swap_time_us": 50.0,
        "swap_interval_ms": 100.0,
        "latency_ms": pytest.approx(0.75),
        "matches": 7,
    }


def test_nothing_moves_in_a_market_that_stands_still() -> None:
    """Rates are 0, and shares of nothing are not known."""
    figures = EngineRates()
    for now_s in (1.0, 2.0):
        figures.look(_feed(1), now_s)
        figures.hear(_status(1, 1), now_s)
    rates = figures.rates(1.0)
    assert (rates["ticks_per_s"], rates["processed_per_s"]) == (0.0, 0.0)
    assert {rates[name] for name in ("flagged_per_cycle", "efficiency", "swap_interval_ms", "latency_ms")} == {None}


def test_another_feed_or_a_silent_collector_begins_anew() -> None:
    """No rate is made of counters that do not belong together; a feed that has gone has no rates."""
    figures = EngineRates()
    for now_s in (1.0, 2.0):
        figures.look(_feed(int(now_s)), now_s)
        figures.hear(_status(int(now_s), 0), now_s)
    figures.look(_feed(5, "b"), 3.0)
    figures.hear(None, 3.0)
    assert set(figures.rates(1.0).values()) == {None}
    figures.look(FeedFigures({"state": "stopped"}, 0, {}), 4.0)
    assert set(figures.rates(1.0).values()) == {None}
    assert figures.latency_ms() is None


def test_saving_and_latency() -> None:
    """As the collector measured them; without a signal in the last minute, of all signals."""
    figures = EngineRates()
    nothing: list[Any] = [figures.saving, figures.latency_ms()]
    assert nothing == [None, None]
    figures.hear(_status(1, 1, saving={"saving": None, "low": None, "high": None}), 1.0)
    unknown: Any = figures.saving
    assert unknown is None
    figures.hear(_status(1, 1, slow=100, saving={"saving": 0.9, "low": 0.8, "high": 1.0}), 2.0)
    assert figures.saving == {"value": 0.9, "low": 0.8, "high": 1.0}
    latency: Any = figures.latency_ms()
    assert latency == {"p50": pytest.approx(0.75), "p99": pytest.approx(0.995)}
    figures = EngineRates()
    figures.hear(_status(1, 1, slow=2), 1.0)
    latency = figures.latency_ms()
    assert latency == {"p50": pytest.approx(0.75), "p99": pytest.approx(0.995)}
    figures.hear({**_status(1, 1), "collector": {}}, 2.0)
    assert figures.latency_ms() is None


def test_sums() -> None:
    """Counters of all traders; snapshots that cost more than results would save nothing."""
    assert sums([]) == {"processed": 0, "skipped": 0, "efficiency": None, "bytes_saved": 0, "bytes_full": 0}
    lines = _status(10, 30)["traders"] + _status(0, 0)["traders"]
    assert sums(lines) == {"processed": 10, "skipped": 30, "efficiency": 0.75, "bytes_saved": 120, "bytes_full": 200}


def test_what_was_heard_already_counts_once() -> None:
    """The same answer again is no reading, and a feed without histograms has no swap time."""
    rates = EngineRates()
    status = _status(1, 1)
    for now_s in (1.0, 2.0):
        rates.hear(status, now_s)
        rates.look(_feed(int(now_s))._replace(histograms={}), now_s)
    assert rates.rates(1.0)["processed_per_s"] is None
    assert rates.rates(1.0)["swap_time_us"] is None
    assert rates.rates(1.0)["ticks_per_s"] == 1_000.0
