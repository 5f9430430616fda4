"""IdRanges: the ids that are there, whatever the order and the gaps."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tickflag.services.feed.recordings.captures.id_ranges import IdRanges

_ids = st.sets(st.integers(0, 40))


@settings(deadline=None)
@given(one=_ids, other=_ids, first=st.integers(0, 41), last=st.integers(0, 41))
def test_it_is_a_set_of_ids(one: set[int], other: set[int], first: int, last: int) -> None:
    """A range is there where each of its ids is; a union has the ids of both, and equals the ranges of these."""
    both = IdRanges.of(one).union(IdRanges.of(other))
    wanted = set(range(first, last + 1))
    assert IdRanges.of(one).has(first, last) == (bool(wanted) and wanted <= one)
    assert both.has(first, last) == (bool(wanted) and wanted <= one | other)
    assert both == IdRanges.of(one | other)
    assert (IdRanges.of(one) == IdRanges.of(other)) == (one == other)
