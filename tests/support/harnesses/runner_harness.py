"""Seat: one trader at a market's segment, and the collector's view of it, fed with what the trader sends."""

from collections.abc import Callable
from typing import Any

import numpy as np

from common.blocks import TraderBlock
from common.codec import decode
from common.messages import Delta, Result, Snapshot
from common.segment import Segment
from common.traderapi import Market, Trader
from services.collector.view import Draft, Position, View
from services.trader.matches import Change, MatchSet
from services.trader.plugin import Plugin
from services.trader.results import Results, Tally
from services.trader.runner import Runner
from services.trader.state import StateStore
from tests.support.markets import NOON


class Rule:
    """A vectorised rule: matches where the price is above `above`, with the price as score, and remembers its calls."""

    def __init__(self, above: float = 10.0) -> None:
        self.above = above
        self.asked: list[list[str]] = []
        """The symbols of each call."""
        self.faults: list[BaseException | None] = []
        """What the next calls raise, None for those that do well."""

    def __call__(self, market: Market) -> Any:
        self.asked.append(list(market.symbols))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        return np.where(market.last > self.above, market.last, np.nan)

    def take_asked(self) -> list[list[str]]:
        """The calls since the last look."""
        asked, self.asked = self.asked, []
        return asked


def vectorised(rule: Callable[[Market], Any], **declaration: Any) -> Plugin:
    """A plugin with the hook `evaluate`."""
    return Plugin(Trader(**{"name": "test", **declaration}), rule, None)


def per_symbol(rule: Callable[..., Any], **declaration: Any) -> Plugin:
    """A plugin with the hook `evaluate_symbol`."""
    return Plugin(Trader(**{"name": "test", **declaration}), None, rule)


def settled(matches: MatchSet, scores: dict[int, float], notes: dict[int, str] | None = None) -> Change:
    """Commit scores and notes by slot; gives what they changed."""
    slots, versions = np.array(list(scores), np.int32), np.ones(len(scores), np.int64)
    seen = np.zeros(1 + max(scores, default=0), np.int64)
    return matches.settle(slots, np.array(list(scores.values()), np.float64), slots, versions, seen, notes or {})


class Seat:
    """`settings` are those of the block `trader`. `frames` holds everything sent and not yet received."""

    def __init__(self, segment: Segment, plugin: Plugin, announced_within_ns: int = 0, **settings: Any) -> None:
        self.plugin = plugin
        self._announced_within_ns = announced_within_ns
        self.settings = TraderBlock(**settings)
        self.tally = Tally()
        self.matches = MatchSet()
        self.frames: list[bytes] = []
        self.refuses = False
        """Nobody takes a message."""
        self.results = Results(
            plugin.trader.name,
            1,
            self.matches,
            self.tally,
            self._send,
            self.settings.deltas,
            self.settings.compress_from_bytes,
            plugin.trader.score_step,
        )
        self.view = View(Position(plugin.trader.name))
        self.drafts: list[Draft] = []
        self.state = StateStore(plugin.trader.state) if plugin.trader.state else None
        self.runner = self._seated(segment)

    def move(self, segment: Segment) -> None:
        """Go on with another generation."""
        self.runner = self._seated(segment)

    def step(self, time_ns: int = NOON, between: Callable[[], None] = lambda: None) -> Result | None:
        """One cycle, as a worker does it; what was sent reaches the view."""
        result = self.runner.step(time_ns, time_ns, between)
        self.receive()
        return result

    def receive(self) -> list[Result]:
        """Hand all frames to the view; gives their messages."""
        messages: list[Result] = []
        for frame in self.frames:
            message = decode(frame)
            assert isinstance(message, Snapshot | Delta)
            messages.append(message)
            if isinstance(message, Snapshot):
                self.drafts += self.view.apply_snapshot(message, 0)
            else:
                self.drafts += self.view.apply_delta(message)
        self.frames.clear()
        return messages

    def _seated(self, segment: Segment) -> Runner:
        return Runner(
            segment, self.plugin, self.settings, self.matches, self.results, self.tally, self.state,
            self._announced_within_ns,
        )  # fmt: skip

    def _send(self, frame: bytes) -> bool:
        if not self.refuses:
            self.frames.append(frame)
        return not self.refuses
