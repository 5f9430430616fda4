"""Sweep: runs a trader with every combination of some of its settings, side by side in one replay."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from tickflag.common.errors import TickflagError
from tickflag.common.settings import Settings
from tickflag.services.replay.hindrances import Hindrance, PlayedMarket
from tickflag.services.replay.lockstep import Lockstep, TraderFailure
from tickflag.services.replay.player import Player
from tickflag.services.replay.study.resolution import Resolution
from tickflag.services.replay.study.study import Horizon, Study
from tickflag.services.replay.traders import parse_value
from tickflag.services.trader.evaluation.plugin.plugin import Plugin

LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Combination:
    """One point in the grid of a trader's settings."""

    trader: str
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.trader} {', '.join(f'{key}={value}' for key, value in self.settings.items())}"


def parse_axis(text: str) -> tuple[str, str, list[Any]]:
    """Trader, setting and values of a text as `rsi.period=7,14`. A value that is not JSON is a text.

    The setting comes after the last dot, as a trader's name may hold dots. Raises ValueError.
    """
    place, equals, values = text.partition("=")
    trader, _, key = place.strip().rpartition(".")
    if not (equals and trader and key and all(value.strip() for value in values.split(","))):
        raise ValueError(f"{text!r}: use TRADER.SETTING=VALUE,VALUE as rsi.period=7,14,21")
    return trader, key, [parse_value(value.strip()) for value in values.split(",")]


def combinations(axes: Iterable[tuple[str, str, list[Any]]]) -> list[Combination]:
    """The grid of each trader; its last setting changes fastest. Raises ValueError above `LIMIT` combinations."""
    grids: dict[str, dict[str, list[Any]]] = {}
    for trader, key, values in axes:
        grid = grids.setdefault(trader, {})
        if key in grid:
            raise ValueError(f"{trader}.{key} is given twice: name all its values at once")
        grid[key] = values
    found: list[Combination] = []
    for trader, grid in grids.items():
        for point in product(*grid.values()):
            found.append(Combination(trader, dict(zip(grid, point, strict=True))))
            if len(found) > LIMIT:
                raise ValueError(f"more than {LIMIT:,} combinations: name fewer values")
    return found


class Sweep:
    """Call `run` once, then `digests`. Every combination is a trader of its own on the same market.

    `on_fault` is told of a combination that cannot run, which is left out and counted, and of a combination that failed
    in a cycle. Raises TickflagError where no combination can run.
    """

    def __init__(
        self,
        settings: Settings,
        player: Player,
        plugins: Iterable[tuple[Combination, Plugin]],
        horizons: Sequence[Horizon],
        resolution: Resolution,
        on_fault: Callable[[str], None],
    ) -> None:
        self._player = player
        made = [
            (combination, Lockstep(settings, player.segment, [plugin], partial(_report, combination, on_fault)))
            for combination, plugin in plugins
        ]
        self.refused = sum(not lockstep.traders for _, lockstep in made)
        """The number of combinations that cannot run."""
        running = [(combination, lockstep) for combination, lockstep in made if lockstep.traders]
        if not running:
            raise TickflagError("no combination of the sweep runs")
        self._combinations = [combination for combination, _ in running]
        self._locksteps = [lockstep for _, lockstep in running]
        player.alarms += [lockstep.due_ns for lockstep in self._locksteps]
        traders = [lockstep.traders[0] for lockstep in self._locksteps]
        self._study = Study(player.segment, traders, horizons, resolution=resolution)

    def run(self) -> Iterator[None]:
        """Play everything; yields after each cycle."""
        player, study = self._player, self._study
        for _ in player.play():
            study.begin_cycle(player.now_ns, player.opening)
            for number, lockstep in enumerate(self._locksteps):
                for signal in lockstep.step(player.now_ns):
                    study.add(number, signal)
            yield
        study.finish(player.now_ns)

    def digests(self) -> list[tuple[Combination, dict[str, Any]]]:
        """Each combination that runs, with its `Study.digest`."""
        return [(one, self._study.digest(number)) for number, one in enumerate(self._combinations)]

    def hindrances(self, market: PlayedMarket) -> list[tuple[Combination, Hindrance]]:
        """Each combination that gave no signal and could give none, with the reason."""
        return [
            (one, hindrance)
            for one, lockstep in zip(self._combinations, self._locksteps, strict=True)
            for hindrance in lockstep.hindrances(market).values()
        ]

    def failures(self) -> list[tuple[Combination, TraderFailure]]:
        """Each combination that failed in a cycle, with its failure."""
        return [
            (one, failure)
            for one, lockstep in zip(self._combinations, self._locksteps, strict=True)
            for failure in lockstep.failures.values()
        ]


def _report(combination: Combination, on_fault: Callable[[str], None], fault: str) -> None:
    on_fault(f"{combination}: {fault}")
