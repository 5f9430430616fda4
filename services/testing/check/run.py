"""Run: plugins at a sample, each in a seat of its own, and their matches after every moment."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.settings import Settings
from services.replay.seats import Seats
from services.testing.market import ManualMarket
from services.testing.sample import Sample
from services.testing.trader import raise_fault
from services.trader.plugin import Plugin

Matches = dict[str, float]


@dataclass(frozen=True)
class Seating:
    """How a plugin is run."""

    plugin: Plugin
    tracking: bool = True
    alone: bool = False
    """A call for each symbol."""
    later_ns: int = 0
    """How far its time is ahead of the market's."""


class Run:
    """What came of it."""

    def __init__(self, seats: Sequence[str]) -> None:
        self.matches: dict[str, list[Matches]] = {name: [] for name in seats}
        """By seat, after every moment."""
        self.changed: list[set[str]] = []
        """The symbols of which the first seat's channel told, at every moment."""


def play(
    settings: Settings,
    moments: Sample,
    seatings: Mapping[str, Seating],
    turn: Callable[[], None] = lambda: None,
    order: Sequence[str] = (),
) -> Run:
    """Play the sample to its end; `turn` is called before each moment. Symbols of `order` get their slots first.

    Raises PluginError where a trader cannot run with these settings, or fails.
    """
    run = Run(tuple(seatings))
    with ManualMarket(settings) as market, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as little as anybody sees of them in a worker
        seats = {
            name: Seats(_settings(settings, one), market.segment, [one.plugin], raise_fault)
            for name, one in seatings.items()
        }
        for symbol in order:
            market.place(symbol)
        versions = _versions(market, next(iter(seatings.values())).plugin)
        before = versions()
        for moment in moments:
            turn()
            market.advance(moment.after_s)
            for change in moment.changes:
                change.apply(market)
            market.publish()
            for name, one in seats.items():
                one.step(market.time_ns + seatings[name].later_ns)
                run.matches[name].append(dict(one.matches(seatings[name].plugin.trader.name)))
            symbols, now = market.symbols, versions()
            run.changed.append({symbols[slot] for slot in np.flatnonzero(now != before)})
            before = now
    return run


def _settings(settings: Settings, seating: Seating) -> Settings:
    chunks = {"chunk": 1, "batch_chunk": 1, "batch_symbols": 1, "batch_share": 0.0} if seating.alone else {}
    block = settings.trader.model_copy(update={"tracking": seating.tracking, **chunks})
    return settings.model_copy(update={"trader": block})


def _versions(market: ManualMarket, plugin: Plugin) -> Callable[[], np.ndarray]:
    """A copy of the versions that the plugin's channel tells of, by slot."""
    arrays, channel = market.segment.arrays, market.segment.channel(plugin.trader.channel)
    return (arrays.versions if channel == 0 else arrays.heads[channel - 1]).copy
