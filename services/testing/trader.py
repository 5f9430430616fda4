"""TestedTrader: one trader on a ManualMarket, with the real segment, protocol, runner and collector's view."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tickflag.common.errors import PluginError
from tickflag.common.settings import Settings
from tickflag.common.traderapi import Trader
from tickflag.services.replay.lockstep import Lockstep
from tickflag.services.replay.with_flags import with_flags
from tickflag.services.testing.market import ManualMarket
from tickflag.services.trader.evaluation.plugin.plugin import Plugin


@dataclass(frozen=True)
class Step:
    """What a step changed in the matches, as the collector would publish it."""

    entered: dict[str, float]
    """Symbol -> score."""
    left: set[str]
    scores: dict[str, float]
    """Symbols that matched before -> new score, where it moved by more than `score_step`."""
    notes: dict[str, str]
    """Symbol -> note, for symbols that entered or moved."""


class TestedTrader:
    """`step` it after changing the market. Raises PluginError where the trader cannot run.

    `flags` are feature flags that are on or off. Raises TickflagError for an unknown one.
    """

    __test__ = False  # not a test case, though its name begins like one

    def __init__(self, market: ManualMarket, plugin: Plugin, settings: Settings, flags: Mapping[str, bool]) -> None:
        self._market = market
        settings = with_flags(settings, flags, [plugin.trader])
        self._lockstep = Lockstep(settings, market.segment, [plugin], raise_fault)
        self.trader: Trader = plugin.trader
        """The trader's declaration."""

    def step(self) -> Step:
        """Announce what changed in the market, and step the trader. Raises PluginError where the trader fails."""
        self._market.publish()
        step = Step({}, set(), {}, {})
        for signal in self._lockstep.step(self._market.time_ns):
            if signal.event == "left":
                step.left.add(signal.symbol)
            else:
                (step.entered if signal.event == "entered" else step.scores)[signal.symbol] = signal.score
            if signal.note:
                step.notes[signal.symbol] = signal.note
        return step

    @property
    def matches(self) -> dict[str, float]:
        """Symbol -> score, of all present matches."""
        return dict(self._lockstep.matches(self.trader.name))


class LoadTrader(Protocol):
    """The fixture `load_trader`."""

    def __call__(
        self, path: str | Path, settings: Mapping[str, Any] | None = None, flags: Mapping[str, bool] | None = None
    ) -> TestedTrader:
        """The trader of a file, with `settings` of its own, and feature flags that are on or off.

        A relative path is looked for in the test's folder, then in pytest's root folder.
        """


def raise_fault(fault: str) -> None:
    """Raise a fault that a Lockstep tells: the PluginError of a failed step, whose cause is what the plugin raised; or
    a PluginError with the reason why the trader does not run at all."""
    error = sys.exception()
    raise error if isinstance(error, PluginError) else PluginError(fault)
