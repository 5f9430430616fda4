"""Switches: the feature flags of one trader as they count now, compiled where they change and never in a cycle."""

from collections.abc import Mapping
from typing import Any

from common.blocks import TraderBlock
from common.flags import FlagTable
from common.traderapi import Trader
from common.traderapi.flags import FlagValue
from services.trader.plugin import Plugin
from services.trader.results import Results
from services.trader.runner import Runner


class Switches:
    """Until the first control state, the setting `flags` counts, and what is not set has its default. One thread."""

    def __init__(self, trader: Trader, at_start: Mapping[str, bool]) -> None:
        self._trader = trader
        self._features: Mapping[str, Any] = {}
        self._table = self._compiled({name: {"default": value} for name, value in at_start.items()})

    def follow(self, features: Mapping[str, Any]) -> bool:
        """Take the rules of a control state; True where any flag changed for this trader.

        Raises MessageError, once, for rules that cannot be understood; those before count then.
        """
        if features == self._features:
            return False
        self._features = features
        before = self._table.decisions
        self._table = self._compiled(features)
        return self._table.decisions != before

    def on(self, flag: str) -> bool:
        """Raises KeyError for a flag that is neither built in nor the trader's own."""
        return self._table.on(flag)

    def own(self) -> dict[str, FlagValue]:
        """Those that the trader declares."""
        return {name: FlagValue(self._table.on(name), self._table.arm(name)) for name in self._trader.flags}

    def apply(
        self, settings: TraderBlock, plugin: Plugin, results: Results, runner: Runner | None, trusted: bool = True
    ) -> None:
        """Switch a trader over, between two cycles. What the settings have off no flag switches on; a trader whose
        tracking is not `trusted` evaluates all symbols."""
        results.deltas = settings.deltas and self.on("delta_results")
        results.compress_from = settings.compress_from_bytes if self.on("result_compression") else 0
        own, plugin.flags = plugin.flags, self.own()
        if runner is not None:
            before = runner.tracking
            runner.tracking = settings.tracking and self.on("per_symbol_tracking") and trusted
            runner.batches.wanted = self.on("batch_mode")
            if own != plugin.flags or (before and not runner.tracking):  # at once, in a quiet market too
                runner.reevaluate()

    def _compiled(self, features: Mapping[str, Any]) -> FlagTable:
        return FlagTable.of(features, self._trader.name, self._trader.owner, self._trader.flags)
