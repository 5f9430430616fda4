"""FeedFigures: the feed at a moment: its state, closed cycles and histograms, as the segment has them."""

from typing import Any, NamedTuple

from tickflag.common.diagnosis.feed_state import segment_state
from tickflag.common.histogram import Counts
from tickflag.common.runtime import Role, Runtime
from tickflag.common.segment.layout import CLOSED
from tickflag.common.segment.segment import AttachError, Segment
from tickflag.common.settings import Settings


class FeedFigures(NamedTuple):
    """The feed at a moment."""

    state: dict[str, Any]
    """As `feed_state` gives it."""
    ticker_cycles: int
    """Closed cycles of the channel `ticker`."""
    histograms: dict[str, Counts]


def feed_figures(settings: Settings, runtime: Runtime) -> FeedFigures:
    """The figures now; the segment is attached for the moment only."""
    pid = Role.holder(runtime, "feed")
    if pid is None:
        return FeedFigures({"state": "stopped"}, 0, {})
    try:
        segment = Segment.attach_current(runtime)
    except (AttachError, OSError):  # OSError: descriptors are short
        return FeedFigures({"state": "starting", "pid": pid}, 0, {})
    with segment:
        return segment_figures(settings, pid, segment)


def segment_figures(settings: Settings, pid: int, segment: Segment) -> FeedFigures:
    """As `feed_figures`, of the feed `pid` whose segment is attached."""
    state = segment_state(settings, pid, segment)
    return FeedFigures(state, int(segment.arrays.control[CLOSED]), segment.histograms())
