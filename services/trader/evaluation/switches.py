"""Switches: what is on for one trader now. Feature flags are compiled when they change, never in a cycle."""

from collections.abc import Mapping
from typing import Any

from tickflag.common.flags import FlagTable
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.traderapi import Trader
from tickflag.common.traderapi.flags import FlagValue


class Switches:
    """All switches of one trader: its parts hold this object and read the attributes. One thread.

    Until the first control state the setting `flags` counts; a flag that is not set there has its default. No flag
    switches on what the settings switch off.
    """

    tracking: bool
    """Whether to evaluate what changed; else all symbols."""
    deltas: bool
    """Whether to send what changed; else the whole match set."""
    compress_from: int
    """Results of at least so many bytes are compressed; 0 is never."""
    batches: bool
    """Whether long cycles are interrupted between chunks."""
    audits: bool
    """Whether some cycles are audited."""
    own: Mapping[str, FlagValue]
    """The feature flags that the trader declares."""

    def __init__(self, trader: Trader, settings: TraderBlock, at_start: Mapping[str, bool]) -> None:
        self._trader, self._settings = trader, settings
        self._trusted = True
        self._features: Mapping[str, Any] = {}
        self._table = self._compiled({name: {"default": value} for name, value in at_start.items()})
        self.tracking, self.own = False, {}
        self._set()

    def follow(self, features: Mapping[str, Any]) -> bool:
        """Apply the rules of a control state; True where everything has to be evaluated anew.

        Raises MessageError, once, for rules that it cannot read; then the earlier rules go on to count.
        """
        if features == self._features:
            return False
        self._features = features
        self._table = self._compiled(features)
        return self._set()

    def trust(self, trusted: bool) -> bool:
        """Say whether this trader's tracking can be trusted; True where everything has to be evaluated anew."""
        if trusted == self._trusted:
            return False
        self._trusted = trusted
        return self._set()

    def _set(self) -> bool:
        """Set the attributes; True where everything has to be evaluated anew, in a quiet market too: tracking went off,
        or one of the trader's own flags changed."""
        settings, on = self._settings, self._table.on
        tracked, own = self.tracking, self.own
        self.tracking = settings.tracking and on("per_symbol_tracking") and self._trusted
        self.deltas = settings.deltas and on("delta_results")
        self.compress_from = settings.compress_from_bytes if on("result_compression") else 0
        self.batches, self.audits = on("batch_mode"), on("audit")
        self.own = {name: FlagValue(on(name), self._table.arm(name)) for name in self._trader.flags}
        return self.own != own or (tracked and not self.tracking)

    def _compiled(self, features: Mapping[str, Any]) -> FlagTable:
        return FlagTable.of(features, self._trader.name, self._trader.owner, self._trader.flags)
