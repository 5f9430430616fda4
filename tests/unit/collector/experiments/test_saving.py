"""What tracking saves, measured by audits."""

from typing import Any

import pytest

from tickflag.services.collector.experiments.saving import Saving


@pytest.fixture
def saving() -> Saving:
    saving = Saving()
    for part_ns, full_ns in ((10, 100), (30, 100), (20, 200)):
        saving.audited("rsi", part_ns, full_ns)
    saving.audited("macd", 40, 100)
    return saving


def _is(shown: dict[str, Any] | None, saving: float, audits: int) -> bool:
    assert shown is not None
    return bool(shown["saving"] == pytest.approx(saving)) and shown["audits"] == audits


def test_saving_is_that_of_the_sums(saving: Saving) -> None:
    """The saving of each trader and of all weighs longer cycles more."""
    rows = {row["trader"]: row for row in saving.by_trader()}
    assert list(rows) == ["macd", "rsi"]
    assert _is(rows["rsi"], 1 - 60 / 400, 3)
    assert _is(rows["macd"], 0.6, 1)
    assert _is(saving.overall(), 0.8, 4)


def test_interval_needs_two_cycles(saving: Saving) -> None:
    """The ends of the interval are savings, not costs."""
    rows = {row["trader"]: row for row in saving.by_trader()}
    assert (rows["macd"]["low"], rows["macd"]["high"]) == (None, None)
    assert rows["rsi"]["low"] < rows["rsi"]["saving"] < rows["rsi"]["high"] < 1.0


def test_tracking_may_cost_more_than_it_saves() -> None:
    """The saving is then negative."""
    saving = Saving()
    saving.audited("rsi", 150, 100)
    assert _is(saving.overall(), -0.5, 1)


def test_a_cost_that_is_not_known_is_no_audit() -> None:
    """An unknown cost does not count as a saving of all or of nothing."""
    saving = Saving()
    assert not saving.audited("rsi", 5, 0)
    assert saving.overall() is None
    assert saving.by_trader() == []


def test_a_trader_that_is_gone_stays_in_the_whole(saving: Saving) -> None:
    """The trader's name is forgotten."""
    before = saving.overall()
    assert saving.retire("rsi")
    assert not saving.retire("rsi")
    assert [row["trader"] for row in saving.by_trader()] == ["macd"]
    assert saving.overall() == before
