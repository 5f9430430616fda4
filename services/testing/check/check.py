"""Check: checks a trader's file against its contract, on a generated market."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tickflag.common.errors import PluginError
from tickflag.common.limits import ALLOCATION_FACTOR
from tickflag.common.settings import Settings
from tickflag.services.testing.check.cost import TraderCost
from tickflag.services.testing.check.cost_checks import cost_of, needs
from tickflag.services.testing.check.dependence import Dependence
from tickflag.services.testing.check.finding import Finding
from tickflag.services.testing.check.reload import FreshLoader
from tickflag.services.testing.check.run import RunSetup, play
from tickflag.services.testing.sample import COMMON_NAMES, sample
from tickflag.services.trader.evaluation.planning.absent_symbols import absent_symbols


class Check:
    """`run` it once. `seed` gives the market.

    `on_progress` is called before each cycle, to show that the check goes on. `on_fault` is called with the error that
    ends the check.
    """

    def __init__(
        self,
        settings: Settings,
        file: Path,
        own: Mapping[str, Any],
        on_progress: Callable[[], None] = lambda: None,
        on_fault: Callable[[PluginError], None] = lambda _error: None,
        seed: int = 1,
    ) -> None:
        self._settings, self._on_progress, self._on_fault, self._seed = settings, on_progress, on_fault, seed
        self._loader = FreshLoader(file, own, on_progress)
        self.cost: TraderCost | None = None
        """The trader's cost; None until it is measured."""

    def run(self) -> Iterator[Finding]:
        """The findings one by one."""
        try:
            yield from self.answers()
            yield from self._cost_checks()
        except PluginError as error:
            self._on_fault(error)
            do = ""
            if isinstance(error.__cause__, MemoryError):
                do = f"allocations fail at {ALLOCATION_FACTOR} times `trader.memory_limit_mb`, as in the engine"
            yield Finding("contract", "fail", str(error), do)

    def answers(self) -> Iterator[Finding]:
        """The findings on the trader's answers. Raises PluginError where the trader cannot run, or fails."""
        plugin = self._loader.load()
        play(self._settings, (), {"one": RunSetup(plugin)})  # raises where the trader asks for what no feed keeps
        yield Finding("contract", "ok", f"trader {plugin.trader.name!r} loads")
        absent = absent_symbols(plugin.trader, COMMON_NAMES, only_near=True)
        if absent:
            do = "the names of symbols are case-sensitive; write them as your market does"
            yield Finding("symbols", "warn", absent, do)
        moments = sample(plugin.trader, self._seed)
        yield from Dependence(self._settings, self._loader, moments, self._on_progress).findings(plugin)

    def _cost_checks(self) -> Iterator[Finding]:
        """The findings on what the trader asks for and costs."""
        trader = self._loader.load().trader
        yield from needs(self._settings, self._loader, trader, sample(trader, self._seed), self._on_progress)
        self.cost, finding = cost_of(self._settings, self._loader, self._on_progress)
        yield finding
