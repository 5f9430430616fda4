"""Small worlds to explore: the work left to the writer, in any order, and what may go wrong besides."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """Bounds of one exploration. A cycle needs a flag, so there are at most as many cycles as announcements."""

    name: str
    updates: tuple[int, ...]
    """Updates to come for each symbol."""
    symbols: int
    """Symbols that exist from the start; the others are added by their first update."""
    tries: int = 1
    """Attempts to copy a row before it goes to the retry set."""
    rate_limit: bool = False
    """Any announcement may be deferred."""
    failures: bool = False
    """Any evaluation may fail."""
    switches: int = 0
    """Generation switches to come."""
    processes_all: bool = False
    """Any exact pass may treat every symbol as different."""
    observes_first: bool = False
    """Whatever wakes the reader, it loads `closed` and the symbol count, and chooses its path by them."""
    late: bool = False
    """The reader has yet to attach; else it has seen the empty segment."""


TWO_SYMBOLS = Scenario("two symbols, a row copied twice", (2, 1), 2, tries=2)
FOUR_CYCLES = Scenario("four cycles of one symbol", (4,), 1)
NEW_SYMBOL = Scenario("a new symbol beside an old one", (1, 2), 1)
LATE_READER = Scenario("two new symbols, late reader", (1, 1), 0, late=True)
RATE_LIMIT = Scenario("rate limit", (2, 1), 2, rate_limit=True)
FAILURES = Scenario("failing evaluations", (2, 1), 2, failures=True)
OBSERVER = Scenario("observing reader", (2, 1), 2, observes_first=True)
OBSERVER_OF_NEW = Scenario("observing reader, a new symbol", (1, 2), 1, observes_first=True)
OBSERVER_OF_SWITCH = Scenario(
    "observing reader, failures and a generation switch", (2,), 1, failures=True, switches=1, observes_first=True
)
ALL_SYMBOLS = Scenario("passes over all symbols, some failing", (1, 1), 2, failures=True, processes_all=True)
SWITCH = Scenario("generation switch under a rate limit", (1, 1), 2, rate_limit=True, switches=1)
GROWTH = Scenario("generation switch, failures and a new symbol", (1, 1), 1, failures=True, switches=1)

SCENARIOS = (
    TWO_SYMBOLS,
    FOUR_CYCLES,
    NEW_SYMBOL,
    LATE_READER,
    RATE_LIMIT,
    FAILURES,
    OBSERVER,
    OBSERVER_OF_NEW,
    OBSERVER_OF_SWITCH,
    ALL_SYMBOLS,
    SWITCH,
    GROWTH,
)
"""The scenarios in which the true protocol is explored. A wrong turn is explored in the smallest one that shows it."""

ONE_SYMBOL = Scenario("one symbol, twice", (2,), 1)
TWICE_AND_ONCE = Scenario("one symbol twice, another once", (2, 1), 2)
ONCE_EACH = Scenario("two symbols, once each", (1, 1), 2)
ONCE_LIMITED = Scenario("one symbol under a rate limit", (1,), 1, rate_limit=True)
ONCE_FAILING = Scenario("one symbol, failing evaluations", (1,), 1, failures=True)
ONE_SWITCHED = Scenario("generation switch, one symbol under a rate limit", (2,), 1, rate_limit=True, switches=1)
