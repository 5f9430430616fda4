"""Symbols that were delisted, or trade again, since their last evaluation."""

import numpy as np

from tests.support.markets.markets import tick_batch
from tickflag.common.segment.layout import STATUS_DELISTED
from tickflag.common.segment.segment import Segment
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.planning.listing_changes import ListingChanges, NoListingChanges


def _listed(market: MarketWriter, *slots: int, delisted: bool = False) -> None:
    batch = tick_batch(slots, [1.0] * len(slots), **({"status": STATUS_DELISTED} if delisted else {}))
    market.apply(batch, 1)


def test_what_changed_since_the_commit(market: MarketWriter, segment: Segment) -> None:
    """The changes are those of watched symbols that were evaluated before; until a commit they come again and again."""
    _listed(market, 1, 2, 3, 4)
    changes = ListingChanges(segment)
    watched, seen = np.ones(130, np.uint8), np.zeros(130, np.int64)
    watched[2], seen[1:4] = 0, 1
    assert not changes.pending()
    _listed(market, 1, 2, 4, delisted=True)
    for _ in range(2):
        assert changes.pending()
        assert changes.changed(watched, seen).tolist() == [1]
    changes.commit()
    assert not changes.pending()
    _listed(market, 1, 3)
    assert changes.pending()
    assert changes.changed(watched, seen).tolist() == [1]


def test_the_ticker_channel_needs_none(market: MarketWriter) -> None:
    """The flags of the ticker channel tell of every change of status."""
    changes = NoListingChanges()
    _listed(market, 1)
    _listed(market, 1, delisted=True)
    assert not changes.pending()
    assert changes.changed(np.ones(130, np.uint8), np.ones(130, np.int64)).tolist() == []
    changes.commit()
