import pytest

from tickflag.services.trader.evaluation.planning.watchlist import WatchList


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        (["*"], [], ["BTC-USD", "ETH-USD", "btc-usd", "BTC.X", "A+B", "A\nB", ""]),
        (["BTC*"], [], ["BTC-USD", "BTC.X"]),
        (["?TC-USD", "ETH*"], [], ["BTC-USD", "ETH-USD"]),
        (["[BE]*-USD"], [], ["BTC-USD", "ETH-USD"]),
        (["*"], ["*-USD", "A*"], ["btc-usd", "BTC.X", ""]),
        (["BTC*"], ["BTC*"], []),
        (["A+B"], [], ["A+B"]),
        (["BTC.X"], [], ["BTC.X"]),
        ([], [], []),
    ],
)
def test_patterns(include: list[str], exclude: list[str], wanted: list[str]) -> None:
    """A symbol is watched where a whole pattern fits, letter case included, and no excluding pattern does."""
    names = ["BTC-USD", "ETH-USD", "btc-usd", "BTC.X", "A+B", "A\nB", ""]
    watch = WatchList(include, exclude, 10)
    assert [name for name in names if watch.wants(name)] == wanted


def test_the_mask_follows_the_symbols() -> None:
    """A new symbol gets its byte when the mask is refreshed; known symbols keep theirs; slots without a symbol have
    0."""
    watch = WatchList(["A*"], ["AX*"], 6)
    assert watch.mask.tolist() == [0] * 6
    watch.extend(["A1", "B1"])
    assert watch.mask.tolist() == [1, 0, 0, 0, 0, 0]
    mask = watch.mask
    watch.extend(["A1", "B1", "AX", "A2"])
    watch.extend(["A1", "B1", "AX", "A2"])
    assert watch.mask is mask  # the reader of the channel holds this array
    assert mask.tolist() == [1, 0, 0, 1, 0, 0]
