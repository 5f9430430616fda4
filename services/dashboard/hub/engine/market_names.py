"""MarketNames: the symbols of the feed's segment as a table of names, for the search."""

from tickflag.services.dashboard.hub.engine.market_view import MarketView
from tickflag.services.dashboard.hub.matches.names import Names


class MarketNames:
    """Grows with the segment, and begins anew with another one. One thread."""

    def __init__(self, market: MarketView) -> None:
        self._market = market
        self._generation = -1
        self._names = Names()

    def names(self) -> Names:
        """All symbols that the segment has now."""
        self._market.follow()
        if self._market.generation != self._generation:
            self._generation, self._names = self._market.generation, Names()
        for name in self._market.names[len(self._names) :]:
            self._names.number(name)
        return self._names
