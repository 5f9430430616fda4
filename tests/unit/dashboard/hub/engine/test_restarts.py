"""RecentRestarts: what counts as a restart of a moment ago, and for how long."""

from typing import Any

from tickflag.services.dashboard.hub.engine.engine_figures import EngineFigures
from tickflag.services.dashboard.hub.engine.restarts import SHOWN_S, RecentRestarts


def _line(restarts: int) -> list[dict[str, Any]]:
    return [{"name": "rsi", "restarts": restarts}]


def test_a_restart_is_shown_for_a_moment() -> None:
    """A count that grew is a restart, for some seconds. One that is heard first, or began anew, is none."""
    restarts = RecentRestarts()
    assert not restarts.recent("rsi", 0.0)
    restarts.hear(_line(3), 0.0)
    assert not restarts.recent("rsi", 0.0)
    restarts.hear(_line(4), 10.0)
    restarts.hear(_line(4), 11.0)
    assert restarts.recent("rsi", 10.0 + SHOWN_S - 0.1)
    assert not restarts.recent("rsi", 10.0 + SHOWN_S)
    restarts.hear(_line(0), 20.0)
    assert not restarts.recent("rsi", 20.0)


def test_the_figures_hear_of_it() -> None:
    """Each answer of the collector counts once; one that does not answer changes nothing."""
    figures = EngineFigures()
    trader = {"name": "rsi", "incarnation": 1, "matches": 0}
    for at_s, restarts in ((0.0, 0), (1.0, 1)):
        figures.hear({"traders": [trader | {"restarts": restarts}], "collector": {}}, at_s)
    figures.hear(None, 2.0)
    assert figures.restarts.recent("rsi", 2.0)
