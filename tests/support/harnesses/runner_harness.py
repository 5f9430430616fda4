"""One trader's runner on a segment, and the collector's view of the trader, which gets what the runner sends."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.support.markets.markets import NOON
from tickflag import Market, Trader
from tickflag.common.segment.segment import Segment
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import Delta, Result, Snapshot
from tickflag.services.collector.views.view import Position, UnnumberedSignal, View
from tickflag.services.trader.evaluation.assembly import assemble
from tickflag.services.trader.evaluation.matches import MatchChange, MatchSet
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.evaluation.runner import Runner


class PriceRule:
    """A vectorised rule: a symbol matches where its price is above `above`, with the price as score. It remembers its
    calls."""

    def __init__(self, above: float = 10.0) -> None:
        self.above = above
        self.asked: list[list[str]] = []
        """The symbols of each call."""
        self.faults: list[BaseException | None] = []
        """What each of the next calls raises; None for a call that succeeds."""

    def __call__(self, market: Market) -> Any:
        self.asked.append(list(market.symbols))
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        return np.where(market.last > self.above, market.last, np.nan)

    def take_asked(self) -> list[list[str]]:
        """The calls since `take_asked` was last called."""
        asked, self.asked = self.asked, []
        return asked


def vectorised(rule: Callable[[Market], Any], **declaration: Any) -> Plugin:
    """A plugin with the hook `evaluate`."""
    return Plugin(Trader(**{"name": "test", **declaration}), rule, None)


def per_symbol(rule: Callable[..., Any], **declaration: Any) -> Plugin:
    """A plugin with the hook `evaluate_symbol`."""
    return Plugin(Trader(**{"name": "test", **declaration}), None, rule)


def settled(matches: MatchSet, scores: dict[int, float], notes: dict[int, str] | None = None) -> MatchChange:
    """Commit scores and notes by slot; gives what they changed."""
    return matches.settle(np.array(list(scores), np.int32), np.array(list(scores.values()), np.float64), notes or {})


class RunnerHarness:
    """`settings` are those of the block `trader`. `frames` holds what was sent and not yet received."""

    def __init__(self, segment: Segment, plugin: Plugin, announced_within_ns: int = 0, **settings: Any) -> None:
        self.plugin = plugin
        self.frames: list[bytes] = []
        self.refuses = False
        """Every message is refused."""
        block = TraderBlock(**settings)
        self.parts = parts = assemble(plugin, block, {}, self._send, announced_within_ns=announced_within_ns)
        self.switches, self.tally, self.matches = parts.switches, parts.tally, parts.matches
        self.results, self.state = parts.results, parts.state
        self.view = View(Position(plugin.trader.name))
        self.signals: list[UnnumberedSignal] = []
        self.runner = Runner(segment, parts)

    def move(self, segment: Segment) -> None:
        """Attach to another generation."""
        self.runner = Runner(segment, self.parts)

    def step(self, time_ns: int = NOON, between: Callable[[], None] = lambda: None) -> Result | None:
        """Run one cycle as a worker does; what it sends reaches the view."""
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
                self.signals += self.view.apply_snapshot(message, 0)
            else:
                self.signals += self.view.apply_delta(message)
        self.frames.clear()
        return messages

    def _send(self, frame: bytes) -> bool:
        if not self.refuses:
            self.frames.append(frame)
        return not self.refuses
