"""Place: kept as a plain dict, and checked when it comes back."""

import json
from typing import Any

import pytest

from tickflag.common.client.follower.events import Place
from tickflag.common.errors import TickflagError


def test_a_place_can_be_kept() -> None:
    """As JSON and back it is the same."""
    place = Place("one", 7, 3)
    assert Place.from_dict(json.loads(json.dumps(place.to_dict()))) == place


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"journal_id": "one", "signal": 1},
        {"journal_id": "one", "signal": 1, "notice": -1},
        {"journal_id": "one", "signal": True, "notice": 1},
        {"journal_id": "one", "signal": 1.0, "notice": 1},
        {"journal_id": "one", "signal": 1 << 63, "notice": 1},
        {"journal_id": None, "signal": 1, "notice": 1},
        {"journal_id": "one", "signal": 1, "notice": 1, "more": 1},
    ],
)
def test_what_is_no_place_is_refused(values: Any) -> None:
    """The error shows it and says what a place has."""
    with pytest.raises(TickflagError, match="is no place of a follower: it has `journal_id`"):
        Place.from_dict(values)
