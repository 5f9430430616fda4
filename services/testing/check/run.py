"""Run: plays a sample to plugins, each by itself, and keeps their matches after every moment."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tickflag.common.settings import Settings
from tickflag.services.replay.lockstep import Lockstep
from tickflag.services.testing.market import ManualMarket
from tickflag.services.testing.sample import Sample
from tickflag.services.testing.trader import raise_fault
from tickflag.services.trader.evaluation.plugin.plugin import Plugin

Matches = dict[str, float]


@dataclass(frozen=True)
class RunSetup:
    """How a plugin is run."""

    plugin: Plugin
    tracking: bool = True
    alone: bool = False
    """Whether the plugin is called for each symbol alone."""
    later_ns: int = 0
    """How far the plugin's time is ahead of the market's."""


class Run:
    """The matches and changes of a played sample."""

    def __init__(self, setups: Sequence[str]) -> None:
        self.matches: dict[str, list[Matches]] = {name: [] for name in setups}
        """Name of the setup -> the matches after every moment."""
        self.changed: list[set[str]] = []
        """The symbols that the first setup's channel announced, at every moment."""


def play(
    settings: Settings,
    moments: Sample,
    setups: Mapping[str, RunSetup],
    on_progress: Callable[[], None] = lambda: None,
    order: Sequence[str] = (),
) -> Run:
    """Play the sample to its end; `on_progress` is called before each moment. Symbols of `order` get their slots first.

    Raises PluginError where a trader cannot run with these settings, or fails.
    """
    run = Run(tuple(setups))
    with ManualMarket(settings) as market, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nobody would see them in a worker either
        locksteps = {
            name: Lockstep(_settings(settings, one), market.segment, [one.plugin], raise_fault)
            for name, one in setups.items()
        }
        for symbol in order:
            market.place(symbol)
        versions = _versions(market, next(iter(setups.values())).plugin)
        before = versions()
        for moment in moments:
            on_progress()
            market.advance(moment.after_s)
            for change in moment.changes:
                change.apply(market)
            market.publish()
            for name, one in locksteps.items():
                one.step(market.time_ns + setups[name].later_ns)
                run.matches[name].append(dict(one.matches(setups[name].plugin.trader.name)))
            symbols, now = market.symbols, versions()
            run.changed.append({symbols[slot] for slot in np.flatnonzero(now != before)})
            before = now
    return run


def _settings(settings: Settings, setup: RunSetup) -> Settings:
    chunks = {"chunk": 1, "batch_chunk": 1, "batch_symbols": 1, "batch_share": 0.0} if setup.alone else {}
    block = settings.trader.model_copy(update={"tracking": setup.tracking, **chunks})
    return settings.model_copy(update={"trader": block})


def _versions(market: ManualMarket, plugin: Plugin) -> Callable[[], np.ndarray]:
    """A function that copies the versions that the plugin's channel announces, by slot."""
    arrays, channel = market.segment.arrays, market.segment.channel(plugin.trader.channel)
    return (arrays.versions if channel == 0 else arrays.heads[channel - 1]).copy
