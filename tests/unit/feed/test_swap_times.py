"""SwapTimes: what is counted of swaps, and when the segment shows it."""

from collections.abc import Iterator

import pytest

from tests.support.markets.markets import open_market
from tests.support.processes.folders import runtime_folder
from tickflag.common.runtime import Runtime
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.growth import grown
from tickflag.services.feed.swap_times import SwapTimes

MS_NS = 1_000_000


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with runtime_folder() as runtime:
        yield runtime


def _shown(segment: Segment) -> dict[str, tuple[int, int]]:
    """Histogram -> the sum of its times, and how many there are."""
    return {name: (counts.sum_ns, sum(counts.buckets)) for name, counts in segment.histograms().items()}


def test_swaps_and_the_time_between_them(runtime: Runtime) -> None:
    """Each swap has a duration; the first has no cycle before it. The segment shows the counts once they are
    written."""
    with open_market(runtime) as market:
        times = SwapTimes()
        times.add(1_000 * MS_NS, 1_000 * MS_NS + 7_000)
        times.add(1_100 * MS_NS, 1_100 * MS_NS + 300_000)
        assert _shown(market.segment) == {"swap": (0, 0), "cycle": (0, 0)}
        times.write(market.segment)
        with Segment.attach_current(runtime) as seen:
            assert _shown(seen) == {"swap": (307_000, 2), "cycle": (100 * MS_NS, 1)}
            buckets = seen.histograms()["swap"].buckets
            assert [at for at, count in enumerate(buckets) if count] == [1, 6]  # up to 10 and up to 500 us


def test_without_a_swap_nothing_is_written(runtime: Runtime) -> None:
    """A feed that rests leaves the words as they are."""
    with open_market(runtime) as market:
        times = SwapTimes()
        times.add(5, 6)
        times.write(market.segment)
        market.segment.arrays.living[:] = 0
        times.write(market.segment)
        assert not market.segment.arrays.living.any()


def test_a_segment_that_grew_goes_on_counting(runtime: Runtime) -> None:
    """No count shrinks, as that would look like another feed."""
    with open_market(runtime, capacity=4) as market:
        times = SwapTimes()
        times.add(10, 20)
        times.write(market.segment)
        with grown(market, runtime).segment as larger:
            assert _shown(larger) == _shown(market.segment)
            times.add(30, 45)
            times.write(larger)
            assert _shown(larger) == {"swap": (25, 2), "cycle": (20, 1)}
