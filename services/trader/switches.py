"""Switches: the feature flags of one trader as they count now, compiled where they change and never in a cycle."""

from collections.abc import Mapping
from typing import Any

from common.flags import FlagTable
from common.traderapi import Trader
from common.traderapi.flags import FlagValue


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

    def _compiled(self, features: Mapping[str, Any]) -> FlagTable:
        return FlagTable.of(features, self._trader.name, self._trader.owner, self._trader.flags)
