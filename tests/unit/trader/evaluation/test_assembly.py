"""One trader put together."""

from tickflag import Trader
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.services.trader.evaluation.assembly import assemble
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.evaluation.state import NoState, StateStore


def _send(_frame: bytes) -> bool:
    return True


def test_a_trader_that_remembers_has_numbers() -> None:
    """The numbers have the names and types that the trader declares. Other traders have none, whatever a predecessor
    left."""
    plugin = Plugin(Trader(name="count", state={"count": 0}), lambda market: market.last > 0.0, None)
    parts = assemble(plugin, TraderBlock.model_validate({}), {}, _send)
    assert isinstance(parts.state, StateStore)
    assert parts.state.kind == "[('count', '<i8')]"
    plugin = Plugin(Trader(name="plain"), lambda market: market.last > 0.0, None)
    parts = assemble(plugin, TraderBlock.model_validate({}), {}, _send)
    assert isinstance(parts.state, NoState)
    parts.state.restore({"A": (1, b"", b"")})
    assert (parts.state.kind, parts.state.saved({"A": 1})) == ("", {})


def test_the_parts_read_one_home_of_switches() -> None:
    """All parts read the same switches, in which the feature flags of the settings count from the start."""
    plugin = Plugin(Trader(name="plain"), lambda market: market.last > 0.0, None)
    parts = assemble(plugin, TraderBlock.model_validate({}), {"delta_results": False}, _send)
    assert not parts.switches.deltas
    assert parts.results._switches is parts.switches
