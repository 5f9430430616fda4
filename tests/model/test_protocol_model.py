"""The true protocol keeps every invariant in every interleaving; every wrong turn is caught with a shortest trace."""

import dataclasses
import gc
import logging
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from .explorer import Exploration, explore
from .invariants import INVARIANTS
from .protocol import Protocol
from .protocol_model import ProtocolModel
from .scenario import (
    FAILURES,
    NEW_SYMBOL,
    ONCE_EACH,
    ONCE_FAILING,
    ONCE_LIMITED,
    ONE_SWITCHED,
    ONE_SYMBOL,
    SCENARIOS,
    TWICE_AND_ONCE,
    Scenario,
)
from .state import Event

# States counted and traces found: shown by `pytest --log-cli-level=INFO tests/model`.
LOG = logging.getLogger(__name__)

# Each wrong turn, the world that shows it, and the invariants it breaks there (searched for one by one).
CAUGHT: dict[str, tuple[Scenario, tuple[str, ...]]] = {
    "returns_cleared_buffer": (ONE_SYMBOL, ("NoLostUpdate", "NoStampReuse")),
    "clears_before_invalidating": (TWICE_AND_ONCE, ("NoLostUpdate", "NoStampReuse")),
    "never_invalidates": (TWICE_AND_ONCE, ("NoLostUpdate", "NoStampReuse")),
    "clears_after_opening": (TWICE_AND_ONCE, ("NoLostUpdate", "NoStampReuse")),
    "stamps_parity": (TWICE_AND_ONCE, ("NoLostUpdate", "NoStampReuse")),
    "sends_before_closing": (ONCE_EACH, ("CursorClosed",)),
    "waits_for_reader": (ONE_SYMBOL, ("WriterWaitFree",)),
    "flags_before_row": (ONE_SYMBOL, ("NoLostUpdate", "Progress")),
    "counts_after_flag": (NEW_SYMBOL, ("NoLostUpdate", "Progress")),
    "takes_announced_flag": (ONE_SYMBOL, ("NoLostUpdate",)),
    "forgets_deferred": (ONCE_LIMITED, ("NoLostUpdate",)),
    "drops_deferred_at_switch": (ONE_SWITCHED, ("GenerationFence",)),
    "publishes_before_copying": (ONE_SWITCHED, ("NoLostUpdate", "Progress")),
    "never_wakes_alone": (ONE_SYMBOL, ("EventsAreHints",)),
    "misses_gaps": (TWICE_AND_ONCE, ("NoLostUpdate",)),
    "takes_old_events": (ONCE_EACH, ("CursorClosed", "Progress")),
    "ignores_generation": (ONE_SWITCHED, ("GenerationFence", "CursorClosed", "Progress")),
    "skips_second_look": (TWICE_AND_ONCE, ("NoLostUpdate",)),
    "counts_from_event": (NEW_SYMBOL, ("NoLostUpdate",)),
    "counts_before_closed": (NEW_SYMBOL, ("NoLostUpdate",)),
    "closed_after_scan": (TWICE_AND_ONCE, ("NoLostUpdate",)),
    "done_from_event": (ONE_SYMBOL, ("EventsAreHints", "Progress")),
    "remembers_cycles": (TWICE_AND_ONCE, ("NoLostUpdate", "Progress")),
    "skips_seqlock": (ONE_SYMBOL, ("NoTornRead",)),
    "skips_odd_rows": (ONE_SYMBOL, ("NoLostUpdate",)),
    "spins_on_odd_row": (ONCE_EACH, ("Progress",)),
    "rereads_version": (TWICE_AND_ONCE, ("NoLostUpdate",)),
    "forgets_retry": (ONE_SYMBOL, ("NoLostUpdate",)),
    "overwrites_retry": (TWICE_AND_ONCE, ("NoLostUpdate",)),
    "forgets_timer": (TWICE_AND_ONCE, ("EventsAreHints",)),
    "commits_before_evaluation": (ONCE_FAILING, ("NoLostUpdate",)),
    "never_reattaches": (ONE_SWITCHED, ("EventsAreHints",)),
    "keeps_seen_at_attach": (ONE_SWITCHED, ("NoLostUpdate",)),
    "attaches_at_closed": (ONE_SWITCHED, ("NoLostUpdate",)),
}

# Wrong turns with which an observing reader loses updates as well.
CAUGHT_BY_OBSERVER = (
    "returns_cleared_buffer",
    "clears_before_invalidating",
    "never_invalidates",
    "stamps_parity",
    "flags_before_row",
    "counts_after_flag",
    "misses_gaps",
    "skips_second_look",
    "counts_before_closed",
    "closed_after_scan",
    "skips_odd_rows",
    "rereads_version",
    "forgets_retry",
    "commits_before_evaluation",
    "keeps_seen_at_attach",
    "attaches_at_closed",
)

# Wrong turns that do no harm alone, each with the rule that prevents it.
HARMLESS_ALONE: dict[str, str] = {
    "flags_while_odd": "a flagged row that is odd goes to the retry set",
    "skips_first_look": "an event follows its stamp, so a stamp that is right after the copy was right before it",
    "forgets_failure": "`done` has not moved, so the same cycle is still the next one, or there is a gap",
}

# Steps without which an exploration would prove nothing.
MUST_BE_REACHED = (
    "reader: event of the next cycle",
    "reader: event after a gap",
    "reader: event, owing an exact pass",
    "reader: event, looks for itself",
    "reader: wakes by itself",
    "reader: wakes to process all",
    "reader: stamp is still the same",
    "reader: stamp is another, exact path",
    "reader: stamp has moved, exact path",
    "reader: row already seen",
    "reader: row moved, again",
    "reader: row moved, to the retry set",
    "reader: row taken",
    "reader: evaluation failed",
    "reader: attaches to the new generation",
    "reader: committed",
    "writer: announcement deferred",
    "writer: deferred announcement made",
    "writer: pending announcements",
    "writer: new symbol counted",
    "writer: new generation copied",
    "writer: cycle open",
)


@pytest.fixture(scope="module", autouse=True)
def _garbage_collection_pauses() -> Iterator[None]:
    """Switch garbage collection off: exploring makes many tuples and no reference cycles, so a search for them is in
    vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    yield
    if was_enabled:
        gc.enable()


@cache
def explored(scenario: Scenario) -> Exploration:
    """The exploration of the true protocol in a scenario, shared by two tests."""
    return explore(ProtocolModel(scenario))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_true_protocol_keeps_every_invariant(scenario: Scenario) -> None:
    """No interleaving of the true protocol breaks any invariant."""
    found = explored(scenario)
    LOG.info("%s: %d states, %d steps", scenario.name, found.states, found.steps.total())
    assert found.violation is None, str(found.violation)


def test_exploration_is_not_vacuous() -> None:
    """Both paths, mismatches, torn copies, retries, deferrals, lost events, failures and switches are all reached."""
    all_found = [explored(scenario) for scenario in SCENARIOS]
    steps = sum((found.steps for found in all_found), Counter[str]())
    states = sum(found.states for found in all_found)
    LOG.info("%d states, %d steps", states, steps.total())
    assert [step for step in MUST_BE_REACHED if not steps[step]] == []
    assert states > 100_000
    assert all(found.states > 1_000 for found in all_found)


@pytest.mark.parametrize(
    ("wrong_turn", "invariant"),
    [(wrong_turn, invariant) for wrong_turn, (_, invariants) in CAUGHT.items() for invariant in invariants],
)
def test_wrong_turn_is_caught(wrong_turn: str, invariant: str) -> None:
    """A protocol with one wrong turn breaks the invariant that guards against it."""
    scenario, _ = CAUGHT[wrong_turn]
    violation = explore(ProtocolModel(scenario, _with(wrong_turn)), [invariant]).violation
    LOG.info("%s", violation)
    assert violation is not None
    assert violation.invariant == invariant


@pytest.mark.parametrize("wrong_turn", CAUGHT_BY_OBSERVER)
def test_wrong_turn_is_caught_with_observing_reader(wrong_turn: str) -> None:
    """A reader that chooses its path by `closed` needs the same rules as one that chooses by the event."""
    scenario = dataclasses.replace(CAUGHT[wrong_turn][0], observes_first=True)
    violation = explore(ProtocolModel(scenario, _with(wrong_turn)), ["NoLostUpdate"]).violation
    LOG.info("%s", violation)
    assert violation is not None


@pytest.mark.parametrize("wrong_turn", HARMLESS_ALONE)
@pytest.mark.parametrize("scenario", [ONCE_EACH, ONCE_FAILING, ONE_SWITCHED], ids=lambda scenario: scenario.name)
def test_second_fence_alone_can_miss(wrong_turn: str, scenario: Scenario) -> None:
    """A rule that another one backs up can be broken alone without harm."""
    violation = explore(ProtocolModel(scenario, _with(wrong_turn))).violation
    assert violation is None, f"{HARMLESS_ALONE[wrong_turn]}\n{violation}"


def test_first_look_stands_behind_the_generation() -> None:
    """The generation check backs up the first look: without both, the reader copies a buffer that is still being
    filled."""
    protocol = _with("skips_first_look", "ignores_generation")
    violation = explore(ProtocolModel(ONE_SWITCHED, protocol), ["NoLostUpdate"]).violation
    LOG.info("%s", violation)
    assert violation is not None


def test_every_wrong_turn_is_explored() -> None:
    """No wrong turn is described without being tried, and no invariant is without a wrong turn that breaks it."""
    assert {field.name for field in dataclasses.fields(Protocol)} == CAUGHT.keys() | HARMLESS_ALONE.keys()
    assert {name for _, names in CAUGHT.values() for name in names} == set(INVARIANTS)


def test_trace_is_readable_and_shortest() -> None:
    """A violation names its invariant and lists its steps in order; no step can be left out."""
    model = ProtocolModel(ONCE_LIMITED, _with("forgets_deferred"))
    violation = explore(model, ["NoLostUpdate"]).violation
    assert violation is not None
    assert [move.name.partition(": ")[2] for move in violation.trace] == [
        "version odd",
        "first word",
        "second word",
        "version even",
        "announcement deferred",
        "rate limit off",
    ]
    lines = str(violation).splitlines()
    assert lines[0] == "NoLostUpdate is broken after 6 steps:"
    assert lines[1].split() == ["1", "writer:", "version", "odd", "0"]


@pytest.mark.parametrize("event", [Event(0, 1, 1), Event(0, 0, 1), Event(1, 2, 1)], ids=["done", "older", "generation"])
def test_event_without_news_is_ignored(event: Event) -> None:
    """An event of a covered cycle or of another generation starts nothing."""
    model = ProtocolModel(FAILURES)
    initial = model.initial()
    segment = initial.segments[0]._replace(closed=1)
    state = initial._replace(segments=(segment,), reader=initial.reader._replace(done=1), events=frozenset({event}))
    assert model.reader_moves(state) == []


def _with(*wrong_turns: str) -> Protocol:
    return dataclasses.replace(Protocol(), **dict.fromkeys(wrong_turns, True))
