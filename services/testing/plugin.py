"""The pytest plugin. It imports no module of ours before a fixture is used: pytest loads it in every project's runs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tickflag.services.testing.market import ManualMarket
    from tickflag.services.testing.trader import LoadTrader, TestedTrader


@pytest.fixture
def market() -> "Iterator[ManualMarket]":
    """A market to fill by hand, for a trader of `load_trader`."""
    from tickflag.common.settings import load
    from tickflag.services.testing.market import ManualMarket

    with ManualMarket(load()) as market:
        yield market


@pytest.fixture
def load_trader(request: pytest.FixtureRequest, market: "ManualMarket") -> "LoadTrader":
    """Load a trader and let it work at `market`."""
    from tickflag.common.settings import load
    from tickflag.services.testing.trader import TestedTrader
    from tickflag.services.trader.evaluation.plugin.plugin import load_plugin

    def load_trader(
        path: str | Path, settings: Mapping[str, Any] | None = None, flags: Mapping[str, bool] | None = None
    ) -> "TestedTrader":
        places = [folder / path for folder in (request.path.parent, request.config.rootpath)]
        file = next((place for place in places if place.is_file()), None)
        if file is None:
            raise FileNotFoundError(f"no trader file {' or '.join(map(str, dict.fromkeys(places)))}")
        return TestedTrader(market, load_plugin(file, settings=settings), load(), flags or {})

    return load_trader
