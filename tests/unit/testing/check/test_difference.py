"""Where two runs part."""

from tickflag.services.testing.check.difference import AnswerDifference, first_difference, first_of_each

ONE = [{"A": 1.0}, {"A": 1.0, "B": 2.0}]


def test_the_first_one_is_found() -> None:
    """The first is found by cycle, then by name; a run that ends earlier is compared as far as it goes."""
    assert first_difference(ONE, ONE) is None
    assert first_difference(ONE, [{"A": 1.0}, {"A": 1.5, "B": 3.0}]) == AnswerDifference(2, "A", 1.0, 1.5)
    assert first_difference(ONE, [{}]) == AnswerDifference(1, "A", 1.0, None)
    assert first_difference(ONE, ONE[:1]) is None


def test_only_some_symbols_are_compared() -> None:
    """The symbols are the same in all cycles, or some in each."""
    other = [{"A": 1.0}, {"A": 1.5, "B": 3.0}]
    assert first_difference(ONE, other, ["B"]) == AnswerDifference(2, "B", 2.0, 3.0)
    assert first_of_each(ONE, [{}, {}], [set(), {"B"}]) == AnswerDifference(2, "B", 2.0, None)


def test_rounding_is_no_difference() -> None:
    """The last digits may depend on how many symbols came together."""
    assert first_difference([{"A": 1.0, "B": 0.0}], [{"A": 1.0 + 1e-7, "B": 1e-8}]) is None
    assert first_difference([{"A": 1.0}], [{"A": 1.0 + 1e-5}]) is not None


def test_it_is_told_in_words() -> None:
    """The text has both scores, or says that there was no match."""
    assert str(AnswerDifference(2, "B", 2.0, None)) == "B in cycle 2: 2, against no match"
