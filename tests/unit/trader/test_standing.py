"""What recovery wants of a trader, out of what the control state repeats all the time."""

import pytest

from services.trader.standing import OFF, Standing, State, Wish

RUNNING, QUARANTINED = State.RUNNING, State.QUARANTINED


def test_a_quarantine_begins_and_ends_once() -> None:
    """However often it is repeated; the fresh start of its end is the return itself."""
    standing = Standing()
    told: list[tuple[State, int, int, Wish]] = [
        (RUNNING, 0, 0, "nothing"),
        (RUNNING, 2, 1, "quarantine"),
        (QUARANTINED, 2, 1, "nothing"),
        (QUARANTINED, 0, 2, "return"),
        (RUNNING, 0, 2, "nothing"),
        (RUNNING, 3, 2, "quarantine"),
    ]
    for state, opening, fresh, wish in told:
        assert standing.wish(state, opening, fresh) == wish


def test_only_a_growing_number_is_a_fresh_start() -> None:
    """Of what was asked for before it listened, nothing; a collector that begins anew asks for none."""
    standing = Standing()
    wishes = [standing.wish(RUNNING, 0, fresh) for fresh in (4, 4, 5, 5, 0, 1)]
    assert wishes == ["nothing", "nothing", "fresh start", "nothing", "nothing", "fresh start"]


@pytest.mark.parametrize("state", [state for state in OFF if state is not QUARANTINED])
def test_what_is_off_stays_so(state: State) -> None:
    """An operator's word counts more than recovery's."""
    standing = Standing()
    assert [standing.wish(state, *told) for told in ((0, 0), (1, 1), (0, 2))] == ["nothing"] * 3


def test_a_pardon_is_for_one_quarantine() -> None:
    """The next opening counts again."""
    standing = Standing()
    assert standing.wish(RUNNING, 2, 1) == "quarantine"
    standing.pardon()
    assert standing.wish(RUNNING, 2, 1) == "nothing"
    assert standing.wish(RUNNING, 3, 1) == "quarantine"
