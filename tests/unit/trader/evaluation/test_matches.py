from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.harnesses.runner_harness import settled
from tickflag.services.trader.evaluation.matches import MatchSet, entry_bytes, note_bytes

NAN = float("nan")
NAMES = ["A", "B", "C", "D"]


@pytest.fixture
def matches() -> MatchSet:
    """B matches with 2 and D with 4."""
    matches = MatchSet()
    matches.begin_generation(8, list(NAMES))
    matches.place(0)
    settled(matches, {0: NAN, 1: 2.0, 3: 4.0})
    return matches


def test_a_change_names_what_entered_left_and_moved(matches: MatchSet) -> None:
    """Each changed symbol is in one of three lists, an unchanged one in none; then the set holds the new scores."""
    assert settled(matches, {0: NAN, 1: 2.0, 2: NAN}).is_empty()
    assert settled(matches, {}).is_empty()
    change = settled(matches, {0: 1.0, 1: 2.5, 2: NAN, 3: NAN})
    assert (change.entered, change.left, change.moved) == ({"A": 1.0}, ["D"], {"B": 2.5})
    assert not change.is_empty()
    assert not change.woken
    assert matches.scores() == {"A": 1.0, "B": 2.5}
    assert matches.count == 2


def test_a_score_of_zero_is_a_match(matches: MatchSet) -> None:
    """Only NaN is no match."""
    assert settled(matches, {2: 0.0}).entered == {"C": 0.0}
    assert matches.scores()["C"] == 0.0


@pytest.mark.parametrize("name", ["A", "x" * 31, "x" * 32, "x" * 47, "ÄÖ-€", "€" * 15])
def test_the_bytes_of_an_entry(name: str) -> None:
    """The size is that of a name and a float in a msgpack map, around the length at which names need one byte more."""
    assert entry_bytes(name) == len(msgpack.packb({name: 1.5})) - 1


@pytest.mark.parametrize("note", ["n", "x" * 31, "x" * 32, "ä" * 127, "ä" * 128, "€" * 200])
def test_the_bytes_of_a_note(note: str) -> None:
    """The size is that of two texts in a msgpack map."""
    assert note_bytes("BTC", note) == len(msgpack.packb({"BTC": note})) - 1


def test_a_note_lasts_until_its_match_changes(matches: MatchSet) -> None:
    """A note comes with a symbol that enters or moves, and goes where the symbol leaves or moves without one."""
    change = settled(matches, {0: 1.0, 1: 2.5, 2: NAN, 3: 4.0}, {0: "new", 1: "moved", 2: "none", 3: "same"})
    assert change.notes == matches.notes == {"A": "new", "B": "moved"}
    assert settled(matches, {0: 1.0, 1: 2.5}).notes == {}
    assert matches.notes == {"A": "new", "B": "moved"}
    matches.begin_generation(8, list(NAMES))
    matches.place(0)
    assert settled(matches, {0: NAN, 1: 3.0, 2: 1.0}, {2: "here"}).notes == {"C": "here"}
    assert matches.notes == {"C": "here"}


_scores = st.dictionaries(st.integers(0, 19), st.sampled_from([NAN, 1.0, 2.0, 0.25]), max_size=8)
_notes = st.dictionaries(st.integers(0, 19), st.text("aä", min_size=1, max_size=40), max_size=8)
_steps = st.lists(st.tuples(st.sampled_from(["commit", "commit", "generation"]), _scores, _notes), max_size=12)


@settings(deadline=None)
@given(steps=_steps, random=st.randoms(use_true_random=False))
def test_a_match_set_is_a_dict_by_name(steps: list[tuple[str, dict[int, float], dict[int, str]]], random: Any) -> None:
    """Through commits and generations with other slots, the set holds what a dict would hold, and so do its notes.

    Its count and size are those of that dict, and the reported changes add up to it.
    """
    names = [f"N{number:02d}" * (1 + number % 12) for number in range(20)]
    matches, model, told = MatchSet(), dict[str, float](), dict[str, float]()
    said: dict[str, str] = {}
    stale: set[str] = set()
    matches.begin_generation(20, names)
    for step, scores, notes in steps:
        if step == "generation":
            names = random.sample(names, 20)
            matches.begin_generation(20, names)
            matches.place(0)
            stale = set(model)
        else:
            change = settled(matches, scores, notes)
            evaluated = {names[slot] for slot in scores}
            assert change.woken == bool(stale & evaluated)
            stale -= evaluated
            for slot, score in scores.items():
                if score == model.get(names[slot]):
                    continue
                model.pop(names[slot], None)
                said.pop(names[slot], None)
                if score == score:
                    model[names[slot]] = score
                    if slot in notes:
                        said[names[slot]] = notes[slot]
            told.update(change.entered)
            told.update(change.moved)
            for name in change.left:
                del told[name]
        assert matches.scores() == model == told
        assert matches.count == len(model)
        assert matches.notes == said
        heads = sum(1 if len(held) < 16 else 3 for held in (model, said))
        assert matches.entries_bytes == len(msgpack.packb(model)) + len(msgpack.packb(said)) - heads
        assert matches.stale == stale


def test_matches_are_carried_over_by_name(matches: MatchSet) -> None:
    """In a new generation every match stays, stale, before and after its symbol has a slot again, and moves to that
    slot."""
    names: list[str] = []
    matches.begin_generation(8, names)
    assert (matches.scores(), matches.stale, matches.count) == ({"B": 2.0, "D": 4.0}, {"B", "D"}, 2)
    names += ["D", "E"]
    matches.place(0)
    assert matches.scores() == {"B": 2.0, "D": 4.0}
    change = settled(matches, {0: NAN, 1: 5.0})
    assert (change.entered, change.left) == ({"E": 5.0}, ["D"])
    assert change.woken  # a stale match left
    assert (matches.scores(), matches.stale) == ({"B": 2.0, "E": 5.0}, {"B"})
    names += ["B"]
    matches.place(2)
    change = settled(matches, {2: 2.0})
    assert change.is_empty()
    assert change.woken  # a stale match is live again, though its score is the same
    assert (matches.scores(), matches.stale, matches.count) == ({"B": 2.0, "E": 5.0}, set(), 2)
    assert not settled(matches, {2: 2.0}).woken


def test_a_second_generation_before_the_first_was_filled(matches: MatchSet) -> None:
    """A match that has no slot yet is carried on; a symbol that never returns stays a stale match."""
    matches.begin_generation(8, ["D"])
    matches.place(0)
    matches.begin_generation(8, ["X", "D"])
    matches.place(0)
    assert (matches.scores(), matches.stale) == ({"B": 2.0, "D": 4.0}, {"B", "D"})
    settled(matches, {0: 1.0, 1: 4.5})
    assert (matches.scores(), matches.stale) == ({"B": 2.0, "D": 4.5, "X": 1.0}, {"B"})
