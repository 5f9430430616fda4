"""Sweep: a trader under every combination of some of its settings, side by side in one pass."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from common.errors import TickflagError
from common.settings import Settings
from services.replay.player import Player
from services.replay.seats import Failure, Seats
from services.replay.study import Horizon, Study
from services.trader.plugin import Plugin

LIMIT = 1_000


@dataclass(frozen=True, slots=True)
class Combination:
    """One point of the grid of a trader."""

    trader: str
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.trader} {', '.join(f'{key}={value}' for key, value in self.settings.items())}"


def parse_axis(text: str) -> tuple[str, str, list[Any]]:
    """Trader, setting and values of `rsi.period=7,14`. Values are JSON where they can be, else text.

    A trader's name may hold dots: the setting stands after the last one. Raises ValueError.
    """
    place, equals, values = text.partition("=")
    trader, _, key = place.strip().rpartition(".")
    if not (equals and trader and key and all(value.strip() for value in values.split(","))):
        raise ValueError(f"{text!r}: use TRADER.SETTING=VALUE,VALUE as rsi.period=7,14,21")
    return trader, key, [_value(value.strip()) for value in values.split(",")]


def combinations(axes: Iterable[tuple[str, str, list[Any]]]) -> list[Combination]:
    """Of each trader the whole grid, the last setting changing fastest. Raises ValueError where it is too large."""
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
    """`run` it once; then `digests`. Each combination has a seat of its own at one market.

    `on_fault` hears of a combination that cannot run, which is left out and counted, and of one that failed in a
    cycle. Raises TickflagError where none can run.
    """

    def __init__(
        self,
        settings: Settings,
        player: Player,
        plugins: Iterable[tuple[Combination, Plugin]],
        horizons: Sequence[Horizon],
        on_fault: Callable[[str], None],
    ) -> None:
        self._player = player
        seated = [
            (combination, Seats(settings, player.segment, [plugin], partial(_name, combination, on_fault)))
            for combination, plugin in plugins
        ]
        self.refused = sum(not seats.traders for _, seats in seated)
        """Combinations that cannot run."""
        seated = [(combination, seats) for combination, seats in seated if seats.traders]
        if not seated:
            raise TickflagError("no combination of the sweep runs")
        self._combinations = [combination for combination, _ in seated]
        self._seats = [seats for _, seats in seated]
        player.alarms += [seats.due_ns for seats in self._seats]
        self._study = Study(player.segment, [seats.traders[0] for seats in self._seats], horizons)

    def run(self) -> Iterator[None]:
        """A cycle each time."""
        player, study = self._player, self._study
        for _ in player.play():
            study.cycle(player.now_ns, player.opening)
            for number, seats in enumerate(self._seats):
                for signal in seats.step(player.now_ns):
                    study.take(number, signal)
            yield
        study.finish(player.now_ns)

    def digests(self) -> list[tuple[Combination, dict[str, Any]]]:
        """Each combination that runs and what `Study.digest` tells of it."""
        return [(one, self._study.digest(number)) for number, one in enumerate(self._combinations)]

    def failures(self) -> list[tuple[Combination, Failure]]:
        """Each combination that failed in a cycle."""
        return [
            (one, failure)
            for one, seats in zip(self._combinations, self._seats, strict=True)
            for failure in seats.failures.values()
        ]


def _name(combination: Combination, on_fault: Callable[[str], None], fault: str) -> None:
    on_fault(f"{combination}: {fault}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
