"""EngineFigures: the history of the figures."""

from tickflag.common.diagnosis.feed_figures import FeedFigures
from tickflag.services.dashboard.hub.engine.engine_figures import EngineFigures


def _feed(scale: int) -> FeedFigures:
    counters = {"updates": 1_000 * scale, "swaps": 20 * scale, "flagged": 300 * scale}
    return FeedFigures({"state": "running", "generation": "a", **counters}, 10 * scale, {})


def test_the_history_has_each_step_once() -> None:
    """A point a second, and one in ten seconds."""
    figures = EngineFigures()
    for quarter in range(48):
        figures.look(_feed(quarter + 1), quarter / 4)
        figures.record(quarter * 250)
    minutes, hours = figures.minutes.document(12_000), figures.hours.document(12_000)
    assert minutes["time_ms"] == [second * 1_000 for second in range(12)]
    assert minutes["series"]["ticks_per_s"][1:] == [4_000.0] * 11
    assert hours["time_ms"] == [0, 10_000]
    assert hours["series"]["ticks_per_s"] == [None, 4_000.0]
