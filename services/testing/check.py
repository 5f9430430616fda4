"""Check: a trader's file against its contract, on a generated market."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from common.errors import PluginError
from common.settings import Settings
from services.testing.cost import Cost
from services.testing.dependence import Dependence
from services.testing.economy import cost_of, needs
from services.testing.finding import Finding
from services.testing.fresh import Fresh
from services.testing.run import Seating, play
from services.testing.sample import sample


class Check:
    """`run` it once. `turn` is called before each cycle, to show that it goes on; `seed` gives the market.

    `on_fault` hears of the error that ends it.
    """

    def __init__(
        self,
        settings: Settings,
        file: Path,
        own: Mapping[str, Any],
        turn: Callable[[], None] = lambda: None,
        on_fault: Callable[[PluginError], None] = lambda _error: None,
        seed: int = 1,
    ) -> None:
        self._settings, self._turn, self._on_fault, self._seed = settings, turn, on_fault, seed
        self._fresh = Fresh(file, own, turn)
        self.cost: Cost | None = None
        """Once it is measured."""

    def run(self) -> Iterator[Finding]:
        """The findings, as they come."""
        try:
            yield from self.answers()
            yield from self._economy()
        except PluginError as error:
            self._on_fault(error)
            yield Finding("contract", "fail", str(error))

    def answers(self) -> Iterator[Finding]:
        """Those on what it answers. Raises PluginError where it cannot run, or fails."""
        plugin = self._fresh.load()
        play(self._settings, (), {"one": Seating(plugin)})  # refuses what the feed does not keep
        yield Finding("contract", "ok", f"trader {plugin.trader.name!r} loads")
        moments = sample(plugin.trader, self._seed)
        yield from Dependence(self._settings, self._fresh, moments, self._turn).findings(plugin)

    def _economy(self) -> Iterator[Finding]:
        """Those on what it asks for and costs."""
        trader = self._fresh.load().trader
        yield from needs(self._settings, self._fresh, trader, sample(trader, self._seed), self._turn)
        self.cost, finding = cost_of(self._settings, self._fresh, self._turn)
        yield finding
