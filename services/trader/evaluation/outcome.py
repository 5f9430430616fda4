"""Outcome: what the evaluation of a step gives, whichever way the trader is asked."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from tickflag.common.arrays import Floats, Slots, Versions
from tickflag.services.trader.evaluation.auditor import Auditor
from tickflag.services.trader.evaluation.planning.planner import Plan


class Outcome(NamedTuple):
    """The evaluation of one step, not committed yet. The arrays are valid until the next step or audit."""

    slots: Slots
    """The plan's symbols whose rows could be read."""
    versions: Versions
    """The versions at which these rows were read."""
    judged: Slots
    """The symbols that have an entry in `scores`: those read, or in a ranking all that hold data."""
    scores: Floats
    """NaN is no match."""
    notes: Mapping[int, str]
    """The notes by slot."""
    gaps: int
    """How many closed candles the ring lost before they were evaluated."""
    row_versions: Versions
    """The versions of all that is in these rows, also of what the channel does not announce."""


class Comparison(NamedTuple):
    """What an audit compared."""

    symbols: int
    different: list[str]
    """The symbols with another score than the committed one."""
    whole: bool
    """The audit read and evaluated every row."""


class Evaluation(Protocol):
    """Asks the plugin. Both methods raise PluginError, and call `between` between two chunks."""

    def evaluate(self, plan: Plan, time_ns: int, between: Callable[[], None]) -> Outcome:
        """The scores of the plan's symbols, at UTC `time_ns`."""

    def compare(self, auditor: Auditor, committed: Floats, time_ns: int, between: Callable[[], None]) -> Comparison:
        """Evaluate everything on copies, and compare the scores with `committed`, which is by slot."""
