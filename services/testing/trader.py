"""TestedTrader: one trader at a ManualMarket, with the real segment, protocol, runner and collector's view."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from common.errors import PluginError
from common.settings import Settings
from common.traderapi import Trader
from services.replay.flagged import with_flags
from services.replay.seats import Seats
from services.testing.market import ManualMarket
from services.trader.plugin import Plugin


@dataclass(frozen=True)
class Step:
    """What a step changed in the matches, as the collector would tell it."""

    entered: dict[str, float]
    """Symbol -> score."""
    left: set[str]
    scores: dict[str, float]
    """Symbols that matched before -> new score, where it moved by more than `score_step`."""
    notes: dict[str, str]
    """Symbol -> what was noted on it, for those that entered or moved."""


class TestedTrader:
    """`step` it after changing the market. Raises PluginError where it cannot run.

    `flags` are feature flags that are on or off; TickflagError for one that there is not.
    """

    __test__ = False  # no test case, though its name begins like one

    def __init__(self, market: ManualMarket, plugin: Plugin, settings: Settings, flags: Mapping[str, bool]) -> None:
        self._market = market
        settings = with_flags(settings, flags, [plugin.trader])
        self._seats = Seats(settings, market.segment, [plugin], raise_fault)
        self.trader: Trader = plugin.trader
        """What it declares."""

    def step(self) -> Step:
        """Announce what changed in the market, and let the trader process it. Raises PluginError where it fails."""
        self._market.publish()
        step = Step({}, set(), {}, {})
        for signal in self._seats.step(self._market.time_ns):
            if signal.event == "left":
                step.left.add(signal.symbol)
            else:
                (step.entered if signal.event == "entered" else step.scores)[signal.symbol] = signal.score
            if signal.note:
                step.notes[signal.symbol] = signal.note
        return step

    @property
    def matches(self) -> dict[str, float]:
        """Symbol -> score, of all that match now."""
        return dict(self._seats.matches(self.trader.name))


class LoadTrader(Protocol):
    """The fixture `load_trader`."""

    def __call__(
        self, path: str | Path, settings: Mapping[str, Any] | None = None, flags: Mapping[str, bool] | None = None
    ) -> TestedTrader:
        """The trader of a file, with `settings` of its own, and feature flags that are on or off.

        A relative path starts at the test's folder, else at pytest's root folder.
        """


def raise_fault(fault: str) -> None:
    """What seats tell a fault: raise the error that a step met, with what the plugin raised as its cause; else, where
    there is no seat, the reason."""
    error = sys.exception()
    raise error if isinstance(error, PluginError) else PluginError(fault)
