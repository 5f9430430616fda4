"""Topic: something that can be looked at; and what a topic may use to answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tickflag.common.client.questions import Questions
from tickflag.common.errors import TickflagError
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.wire.requests import Service
from tickflag.services.dashboard.hub.answer import Answer
from tickflag.services.dashboard.hub.engine.collector_view import CollectorView
from tickflag.services.dashboard.hub.engine.engine_figures import EngineFigures
from tickflag.services.dashboard.hub.engine.market_names import MarketNames
from tickflag.services.dashboard.hub.engine.market_view import MarketView
from tickflag.services.dashboard.hub.engine.symbol_slots import SymbolSlots
from tickflag.services.dashboard.hub.topics.arguments import TopicArguments


class Waiting(Exception):  # noqa: N818 - reads as the state it reports
    """An answer that the topic cannot do without is on its way."""


@dataclass(slots=True)
class Sight:
    """What topics are made of, as of one look. One thread."""

    settings: Settings
    runtime: Runtime
    questions: Questions
    market: MarketView
    collector: CollectorView
    figures: EngineFigures
    slots: SymbolSlots
    names: MarketNames
    resolved: dict[str, Any]
    """Setting -> value and origin, secrets masked."""
    now_ms: float = 0.0
    """UTC of the look."""
    now_s: float = 0.0
    """Monotonic time of the look."""
    rows_copied: bool = False
    owed: bool = False
    """Something that is only nice to have is on its way: the topic should be asked again soon."""

    def ask(self, service: Service, what: str, every_s: float = 1.0, **arguments: Any) -> Any:
        """The newest answer of a service; None where there is none."""
        known = self.questions.latest(service, what, every_s, **arguments)
        if known.is_late(self.now_s, every_s):
            self.owed = True
        return known.value

    def need(self, service: Service, what: str, every_s: float = 1.0, **arguments: Any) -> Any:
        """The newest answer of a service. Raises Waiting before the first one, and what the service refused with."""
        known = self.questions.latest(service, what, every_s, **arguments)
        if known.is_late(self.now_s, every_s):
            raise Waiting
        if known.error is not None:
            raise known.error
        return known.value

    def error(self, service: Service, what: str) -> TickflagError | None:
        """Why a service gives no answer; None where it does."""
        return self.questions.latest(service, what).error

    def owe_signals(self) -> None:
        """Let the topic wait a moment for the newest signals, where following them has just begun."""
        if not self.collector.settled and not self.collector.away:
            self.owed = True

    def copy_rows(self) -> None:
        """Copy the rows of the market, once in a look."""
        if not self.rows_copied:
            self.rows_copied = True
            self.market.copy_rows()


Ready = Callable[[Sight, bool], Answer]
"""Makes the answer of a topic with its arguments; True for one who has the token. Raises Waiting, NotFound, Unreachable
and other TickflagErrors."""


@dataclass(frozen=True, slots=True)
class Topic:
    """`prepare` checks the arguments, and gives what makes the answers. Raises Refused."""

    name: str
    prepare: Callable[[TopicArguments], Ready]
    every_s: float
    """Time between two answers; 0 is the time of `dashboard.sample_ms`."""
    follows: bool = False
    """It needs the match sets and signals."""
    private: bool = False
    """Those with the token see more."""
