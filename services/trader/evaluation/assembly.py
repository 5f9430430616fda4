"""Assembly: one trader put together, for live, replay, tests and benchmarks alike."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.services.trader.evaluation.matches import MatchSet
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.evaluation.results import Results, Tally
from tickflag.services.trader.evaluation.state import NoState, StateStore
from tickflag.services.trader.evaluation.switches import Switches


@dataclass(frozen=True, slots=True)
class TraderParts:
    """The parts of a trader that outlive a generation of the segment; the next generation's Runner takes them over."""

    plugin: Plugin
    settings: TraderBlock
    switches: Switches
    tally: Tally
    matches: MatchSet
    state: StateStore | NoState
    results: Results
    announced_within_ns: int
    """How long the feed may take to announce an update, for the audit."""


def assemble(
    plugin: Plugin,
    settings: TraderBlock,
    flags: Mapping[str, bool],
    send: Callable[[bytes], bool],
    incarnation: int = 1,
    announced_within_ns: int = 0,
) -> TraderParts:
    """The parts of one trader. `flags` are the feature flags in the settings. `send` gives False for a result that it
    could not send."""
    trader = plugin.trader
    switches, tally, matches = Switches(trader, settings, flags), Tally(), MatchSet()
    results = Results(trader, incarnation, matches, tally, switches, send)
    state = StateStore(trader.state) if trader.state else NoState()
    return TraderParts(plugin, settings, switches, tally, matches, state, results, announced_within_ns)
