"""The arguments of a request, checked."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflag.common.errors import TickflagError
from tickflag.common.units import LARGEST_INT64
from tickflag.common.wire.arguments import DEEPEST, Arguments

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def _refusal(method: str, value: Any, *rest: Any) -> str:
    with pytest.raises(TickflagError) as refused:
        getattr(Arguments("do", {"it": value}), method)("it", *rest)
    return str(refused.value)


def test_each_is_given_once_and_the_rest_is_refused() -> None:
    """The map in the request stays as it is."""
    values = {"flag": "audit", "on": True, "limit": 5, "any": [1, {"a": None}], "more": 1}
    arguments = Arguments("do", values)
    assert arguments.text("flag") == "audit"
    assert arguments.switch("on") is True
    assert arguments.number("limit", 1, 0) == 5
    assert arguments.anything("any") == [1, {"a": None}]
    with pytest.raises(TickflagError, match="'do' has no argument 'more'"):
        arguments.end()
    assert arguments.anything("more") == 1
    arguments.end()
    assert len(values) == 5
    with pytest.raises(TickflagError, match="'flag' of 'do' is missing"):
        arguments.text("flag")


def test_defaults_stand_for_what_is_not_given() -> None:
    """A text and a switch without a default have to be given."""
    arguments = Arguments("do", {})
    assert (arguments.text("a", ""), arguments.switch("a", False), arguments.number("a", 7, 0)) == ("", False, 7)
    assert arguments.anything("a") is None
    for method in (arguments.text, arguments.switch):
        with pytest.raises(TickflagError, match="argument 'a' of 'do' is missing"):
            method("a")


@pytest.mark.parametrize("value", [None, 5, True, b"x", ["x"]])
def test_a_text_is_a_text(value: Any) -> None:
    assert _refusal("text", value) == f"argument 'it' of 'do' must be a text, not {type(value).__name__}"


@pytest.mark.parametrize("value", [None, 0, 1, "true", "yes", []])
def test_a_switch_is_true_or_false(value: Any) -> None:
    """Values such as 1 and "yes" are refused."""
    for default in ([], [True]):
        assert _refusal("switch", value, *default) == "argument 'it' of 'do' must be true or false"


@pytest.mark.parametrize("value", [None, True, 1.0, "1", 0, 10, 2**64])
def test_a_number_is_whole_and_within_its_limits(value: Any) -> None:
    assert _refusal("number", value, 1, 1, 9) == "argument 'it' of 'do' must be a whole number from 1 to 9"
    assert Arguments("do", {"it": LARGEST_INT64}).number("it", 0, 0) == LARGEST_INT64
    assert [Arguments("do", {"it": end}).number("it", 5, 1, 9) for end in (1, 9)] == [1, 9]


@pytest.mark.parametrize("value", [b"x", [b"x"], {"a": b"x"}, {b"x": 1}, {1: {"a": (1, 2)}}])
def test_anything_is_what_json_can_hold(value: Any) -> None:
    assert _refusal("anything", value) == "argument 'it' of 'do' must hold texts, numbers, lists and maps only"


def test_anything_is_not_nested_without_end() -> None:
    """There is a limit of levels."""
    deep: Any = 5
    for _ in range(DEEPEST):
        deep = [deep]
    assert Arguments("do", {"it": deep}).anything("it") == deep
    assert "lists and maps only" in _refusal("anything", {"a": deep})


@given(st.dictionaries(st.sampled_from("abc"), plain))
def test_any_values_are_given_or_refused(values: dict[str, Any]) -> None:
    """Nothing but a TickflagError is raised, whatever a client sends."""
    for method, rest in (("text", ()), ("switch", ()), ("number", (0, 0)), ("anything", ())):
        for name in "abc":
            arguments = Arguments("do", values)
            with suppress(TickflagError):
                getattr(arguments, method)(name, *rest)
                arguments.end()


class TestWho:
    """The name of a client, for the history."""

    def test_a_client_of_this_machine_says_it_itself(self) -> None:
        assert Arguments("do", {"who": "ann"}).who() == "ann"
        assert Arguments("do", {}).who() == "unknown"

    def test_a_client_of_another_machine_is_told_by_its_key_too(self) -> None:
        """A client can lie about its name, not about its key."""
        assert Arguments("do", {"who": "bob"}, "ann").who() == "bob (key ann)"

    @pytest.mark.parametrize("who", ["a\nb", "\x1b[2J", "\0"])
    def test_it_is_printable(self, who: str) -> None:
        """The name goes to the log and to terminals."""
        with pytest.raises(TickflagError, match="argument 'who' must have printable characters only"):
            Arguments("do", {"who": who}).who()
