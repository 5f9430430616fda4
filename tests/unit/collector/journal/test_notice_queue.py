"""Notices that wait for their numbers."""

from tests.support.stand_ins.manual_clock import ManualClock
from tickflag.services.collector.journal.notice_queue import TEXT_LIMIT, NoticeQueue, UnnumberedNotice


def test_notices_keep_their_order_and_their_time() -> None:
    """Whoever adds the notices, each is given once."""
    clock = ManualClock(5_000_000_000)
    queue = NoticeQueue(clock)
    queue.add("plugin circuit", "closed", "open", "it raises", "rsi")
    clock.now_ns += 1_000_000
    queue.add("feature flag", "off", "on", "ann")
    assert queue.drain() == [
        UnnumberedNotice(5_000, "rsi", "plugin circuit", "closed", "open", "it raises"),
        UnnumberedNotice(5_001, "", "feature flag", "off", "on", "ann"),
    ]
    assert queue.drain() == []


def test_long_texts_are_cut() -> None:
    """The message allows no longer texts."""
    queue = NoticeQueue(ManualClock(0))
    queue.add("feature flag", *["x" * (TEXT_LIMIT + 1)] * 3)
    (notice,) = queue.drain()
    assert {len(text) for text in (notice.before, notice.after, notice.reason)} == {TEXT_LIMIT}
