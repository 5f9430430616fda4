"""Names: numbers for names, their order, and which contain a text."""

from tickflag.services.dashboard.hub.matches import names as names_module
from tickflag.services.dashboard.hub.matches.names import Names


def test_names_keep_their_numbers() -> None:
    """A name gets one number, for good; ranks follow the alphabet as names come."""
    names = Names()
    assert [names.number(name) for name in ("B", "A", "B", "C")] == [0, 1, 0, 2]
    assert (names.find("C"), names.find("D"), len(names)) == (2, None, 3)
    assert names.ranks().tolist() == [1, 0, 2]
    names.number("AA")
    assert names.ranks().tolist() == [2, 0, 3, 1]


def test_names_that_contain_a_text() -> None:
    """Capital letters or not is the same; names that came later count as well, however many texts were asked for."""
    names = Names()
    for name in ("BTC/USDT:USDT", "币安人生USDT", "ETHBTC"):
        names.number(name)
    assert names.containing("btc").tolist() == [True, False, True]
    assert names.containing("人生").tolist() == [False, True, False]
    names.number("wbtc")
    assert names.containing("BTC").tolist() == [True, False, True, True]
    for number in range(2 * names_module.KEPT):
        assert not names.containing(f"no such {number}").any()
    assert names.containing("btc").tolist() == [True, False, True, True]
