"""The baseline of the study beside a calculation that looks at every moment anew."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.markets.markets import open_market, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag import Trader
from tickflag.common.segment.segment import Segment
from tickflag.common.units import NS_PER_S
from tickflag.services.replay.study.study import Horizon, Study

NAMES = ("A", "B", "C")
START_S = 1_700_049_600
# Few prices and gaps on both sides of a tenth of a horizon: so prices come back, within a tenth and beyond it.
PRICES = st.sampled_from([100.0, 101.0])
CHANGES = st.dictionaries(st.sampled_from(NAMES), st.tuples(st.sampled_from(["price", "quote"]), PRICES), max_size=2)
STEPS = st.lists(st.tuples(st.integers(0, 90), CHANGES), min_size=1, max_size=25)
Steps = list[tuple[int, dict[str, tuple[str, float]]]]


def _minutes(*prices: tuple[int, float]) -> Steps:
    """One symbol's prices, each so many minutes after the one before."""
    return [(60 * minutes, {"A": ("price", price)}) for minutes, price in prices]


@settings(max_examples=150, deadline=None)
@given(STEPS, st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True), st.integers(0, 500))
@example(_minutes((0, 100.0), (7, 101.0), (1, 100.0), (142, 100.0)), [360], 0)
@example(_minutes((0, 100.0), (6, 101.0), (6, 100.0), (60, 101.0)), [360], 5)
def test_every_moment_after_a_change_counts(steps: Steps, tenths_s: list[int], rest_s: int) -> None:
    """A moment counts where a price changed in the tenth before it, whether the price has come back by then or not."""
    horizons = [Horizon(f"{tenth_s}0s", tenth_s * 10 * NS_PER_S) for tenth_s in sorted(tenths_s)]
    traders = [Trader(name="all"), Trader(name="few", watch=["B", "C"])]
    history: list[tuple[int, dict[str, float]]] = []
    with runtime_folder() as runtime, open_market(runtime) as market, Segment.attach_current(runtime) as segment:
        study = Study(segment, traders, horizons)
        now_s = START_S
        last: dict[str, float] = {}
        middle: dict[str, float] = {}
        for gap_s, changes in steps:
            now_s += gap_s
            for name, (kind, price) in changes.items():
                quote = {"bid": price - 1.0, "ask": price + 1.0}
                fields: dict[str, Any] = quote if kind == "quote" else {}
                values = [math.nan] if kind == "quote" else [price]
                market.apply(tick_batch([market.slot(name)], values, now_s * NS_PER_S, **fields), now_s * NS_PER_S)
                (middle if kind == "quote" else last)[name] = price
            study.begin_cycle(now_s * NS_PER_S)
            history.append((now_s, middle | last))
        study.finish((now_s + rest_s) * NS_PER_S)
        digests = [study.digest(number)["returns"] for number in range(2)]
    for digest, watched in zip(digests, (NAMES, NAMES[1:]), strict=True):
        for tenth_s in tenths_s:
            found, expected = digest[f"{tenth_s}0s"], _returns(history, tenth_s, now_s + rest_s, watched)
            assert found["baseline_count"] == len(expected)
            if expected:
                assert found["baseline"] == pytest.approx(math.fsum(expected) / len(expected))


def _returns(
    history: list[tuple[int, dict[str, float]]], tenth_s: int, end_s: int, watched: tuple[str, ...]
) -> list[float]:
    """The returns over ten tenths from each moment that counts; `history` has the prices after each cycle."""

    def prices(at_s: int) -> dict[str, float]:
        return next((known for time_s, known in reversed(history) if time_s <= at_s), {})

    before = itertools.chain([{}], (known for _, known in history))
    changes = [time_s for (time_s, known), earlier in zip(history, before, strict=False) if known != earlier]
    found = []
    first_s = START_S // tenth_s * tenth_s  # moments are multiples of a tenth; those before have no price
    for moment_s in range(first_s, end_s - 10 * tenth_s + 1, tenth_s):
        if any(moment_s - tenth_s < change_s <= moment_s for change_s in changes):
            now, later = prices(moment_s), prices(moment_s + 10 * tenth_s)
            found += [later[name] / now[name] - 1.0 for name in watched if name in now]
    return found
