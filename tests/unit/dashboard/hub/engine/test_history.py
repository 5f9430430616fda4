"""FigureHistory: even steps, each once, the newest ones; holes stay holes."""

from hypothesis import given
from hypothesis import strategies as st

from tickflag.services.dashboard.hub.engine.history import SERIES, FigureHistory

POINTS = 5


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9)), max_size=30), st.integers(0, 25))
def test_the_last_steps_are_kept(added: list[tuple[int, int]], now: int) -> None:
    """Beside a plain dict of steps: the last value of a step counts; a step older than what is kept is gone."""
    history = FigureHistory(10, POINTS, ("ticks",))
    model: dict[int, int] = {}
    newest: dict[int, int] = {}
    for step, value in added:
        if step >= newest.get(step % POINTS, -1):
            newest[step % POINTS] = step
            model[step] = value
        history.add(step * 10_000 + 4_321, {"ticks": float(value)})
    kept = {step: model[step] for step in newest.values() if now - POINTS < step <= now}
    document = history.document(now * 10_000 + 9_999)
    steps = list(range(min(kept), max(kept) + 1)) if kept else []
    assert document == {
        "step_ms": 10_000,
        "time_ms": [step * 10_000 for step in steps],
        "series": {"ticks": [kept.get(step) for step in steps]},
    }


def test_what_is_not_known_is_a_hole() -> None:
    """Each series has its own; numbers have six digits."""
    history = FigureHistory(1, POINTS)
    history.add(1_000, {"ticks_per_s": 1234.56789, "matches": None})
    series = history.document(1_500)["series"]
    assert list(series) == list(SERIES)
    assert (series["ticks_per_s"], series["matches"], series["efficiency"]) == ([1234.57], [None], [None])
