"""RecentSignals: the newest signals, and how many entered and left in the last minute."""

from typing import Any

from tickflag.common.client.recent_signals import RecentSignals


def _signal(seq: int, event: str = "entered", trader: str = "rsi", time_ms: int | None = None) -> dict[str, Any]:
    return {"seq": seq, "event": event, "trader": trader, "time_ms": seq * 1_000 if time_ms is None else time_ms}


def _numbers(signals: list[dict[str, Any]]) -> list[int]:
    return [signal["seq"] for signal in signals]


def test_the_newest_signals() -> None:
    """Newest first; no more than are kept."""
    recent = RecentSignals(keep=5)
    recent.add([_signal(seq) for seq in range(1, 9)])
    assert _numbers(recent.newest(3)) == [8, 7, 6]
    assert _numbers(recent.newest(0)) == []
    assert _numbers(recent.newest(99)) == [8, 7, 6, 5, 4]


def test_earlier_signals_come_before() -> None:
    """Those that are known already do not come twice."""
    recent = RecentSignals()
    recent.add([_signal(7), _signal(8)])
    recent.prepend([_signal(5), _signal(6), _signal(7)])
    assert _numbers(recent.newest(9)) == [8, 7, 6, 5]
    recent.clear()
    recent.prepend([_signal(3)])
    assert _numbers(recent.newest(9)) == [3]


def test_earlier_signals_count() -> None:
    """For the last minute those count as well that are not kept, on either side; each counts once."""
    recent = RecentSignals(keep=2)
    recent.add([_signal(seq, time_ms=5_000) for seq in range(5, 9)])
    recent.prepend([_signal(5, time_ms=5_000), _signal(6, time_ms=5_000)])
    recent.prepend([_signal(3, time_ms=4_000), _signal(4, time_ms=5_000), _signal(5, time_ms=5_000)])
    recent.prepend([_signal(seq, time_ms=3_000) for seq in (1, 2)])
    assert _numbers(recent.newest(9)) == [8, 7]
    recent.prepend([], whole=True)
    assert recent.last_minute(60_000) == {("rsi", "entered"): 8}
    assert recent.last_minute(64_500) == {("rsi", "entered"): 5}
    recent.add([_signal(9, time_ms=6_000)])
    assert recent.last_minute(64_500) == {("rsi", "entered"): 6}


def test_what_happened_in_the_last_minute() -> None:
    """By trader and event; a signal whose time is older than the one before counts with that one."""
    recent = RecentSignals()
    recent.prepend([], whole=True)
    recent.add([_signal(10), _signal(11, "left"), _signal(12), _signal(13, time_ms=11_000)])
    assert recent.last_minute(60_000) == {("rsi", "entered"): 3, ("rsi", "left"): 1}
    assert recent.last_minute(70_999) == {("rsi", "entered"): 2, ("rsi", "left"): 1}
    assert recent.last_minute(80_000) == {}


def test_a_minute_that_is_not_known_has_no_counts() -> None:
    """It is known back to the oldest signal that was seen, but not in that one's second; or to the journal's begin."""
    recent = RecentSignals()
    assert recent.last_minute(1_000) is None
    recent.add([_signal(100)])
    assert recent.last_minute(159_999) is None
    recent.prepend([_signal(99)])
    assert recent.last_minute(158_999) is None
    assert recent.last_minute(159_000) == {("rsi", "entered"): 1}
    recent.clear()
    recent.add([_signal(99), _signal(100)])
    recent.prepend([_signal(98), _signal(99)], whole=True)
    assert recent.last_minute(100_000) == {("rsi", "entered"): 3}
    assert recent.last_minute(160_000) == {}
    recent.clear()
    assert recent.last_minute(160_000) is None


def test_signals_after_a_number() -> None:
    """None where older ones than are kept are wanted."""
    recent = RecentSignals(keep=2)
    assert recent.after(0) is None
    recent.add([{"seq": seq, "trader": "a", "event": "entered", "time_ms": 1_000} for seq in (1, 2, 3)])
    assert recent.after(0) is None
    assert recent.after(2) == [{"seq": 3, "trader": "a", "event": "entered", "time_ms": 1_000}]


def test_entries_and_exits() -> None:
    """Newest first, without changes of scores, however many of these came since; earlier ones come before, once."""
    recent = RecentSignals(keep=4)
    recent.add([_signal(10), _signal(11, "left"), *(_signal(seq, "score") for seq in range(12, 40))])
    assert _numbers(recent.newest_moves(9)) == [11, 10]
    assert _numbers(recent.newest_moves(1)) == [11]
    assert _numbers(recent.newest_moves(0)) == []
    recent.prepend([_signal(8), _signal(9, "score"), _signal(10), _signal(11, "left"), _signal(12, "score")])
    assert _numbers(recent.newest_moves(9)) == [11, 10, 8]
    recent.clear()
    assert recent.newest_moves(9) == []
    recent.prepend([_signal(3)])
    assert _numbers(recent.newest_moves(9)) == [3]
