"""Audits: whatever the market does, no trader is accused whose answers are those of its rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.harnesses.runner_harness import RunnerHarness, vectorised
from tests.support.markets.markets import MINUTE, NOON, open_market, swap, tick_batch
from tests.support.processes.folders import runtime_folder
from tickflag import Market as Shown

SYMBOLS = 4

RULES: dict[str, Callable[[Shown], Any]] = {
    "last": lambda shown: shown.last,
    "spread": lambda shown: shown.ask - shown.bid,
    "close": lambda shown: shown.candles.close[:, -1],
    "last over close": lambda shown: shown.last - shown.candles.close[:, -1],
}
FIRST = "S0"


def _over_reference(shown: Shown) -> Any:
    reference = shown.reference(FIRST)
    return shown.last - (reference.last if reference is not None else 0.0)


Steps = list[tuple[str, int, int]]
"""What happens, to which symbol, at which price."""

steps = st.lists(
    st.tuples(
        st.sampled_from(["trade", "minute", "swap", "step", "audit"]),
        st.integers(0, SYMBOLS - 1),
        st.integers(1, 50),
    ),
    max_size=40,
)

MOVED: Steps = [
    ("trade", 1, 5),
    *((what, 0, 0) for what in ("minute", "swap", "step")),
    ("trade", 1, 6),
    ("audit", 0, 0),
]


@settings(deadline=None, max_examples=60)
@example("last", "1m", False, False, MOVED)
@example("close", "1m", True, False, MOVED)
@given(
    rule=st.sampled_from(sorted(RULES)),
    channel=st.sampled_from(["ticker", "1m"]),
    forming=st.booleans(),
    referring=st.booleans(),
    happened=steps,
)
def test_nobody_is_accused_for_what_its_channel_does_not_announce(
    rule: str, channel: str, forming: bool, referring: bool, happened: Steps
) -> None:
    """Prices and forming candles move on while the closes of an interval stay the same; so do those of references."""
    declared: dict[str, Any] = {"channel": channel, "candles": "1m", "look_back": 2, "forming": forming}
    if referring:
        declared |= {"references": [FIRST], "scope": "references"}
    with runtime_folder() as runtime, open_market(runtime, symbols=SYMBOLS) as market:
        answer = _over_reference if referring else RULES[rule]
        harness = RunnerHarness(market.segment, vectorised(answer, **declared))
        now_ns = NOON
        for what, slot, price in happened:
            if what == "trade":
                market.apply(tick_batch([slot], [float(price)], now_ns, bid=price - 1.0, ask=price + 1.0), 1)
            elif what == "minute":
                now_ns += MINUTE
                market.close_due(now_ns, 1)
            elif what == "swap":
                swap(market)
            elif what == "step":
                harness.step()
            else:
                assert harness.runner.audit(NOON, lambda: 1).wrong == []


def test_a_dependence_is_found_in_an_interval_too() -> None:
    """Of the rows in which nothing moved since, another answer is a fault. The others are left out."""
    scale = [1.0]
    with runtime_folder() as runtime, open_market(runtime, symbols=SYMBOLS) as market:
        rule = vectorised(lambda shown: np.asarray(shown.last) * scale[0], channel="1m")
        harness = RunnerHarness(market.segment, rule)
        market.apply(tick_batch([0, 1, 2], [5.0] * 3, NOON), 1)
        market.close_due(NOON + MINUTE, 1)
        swap(market)
        harness.step()
        market.apply(tick_batch([1], [6.0], NOON + MINUTE), 1)
        scale[0] = 2.0
        assert harness.runner.audit(NOON, lambda: 1)[:3] == (2, 0, ["S0", "S2"])
