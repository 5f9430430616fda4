"""Login codes: each counts once, for a short time, and for its own token only."""

from collections.abc import Callable

import pytest

from tickflag.common.login_code import LIFE_S, LoginCodes, make_code

TOKEN = "token-of-the-tests-0123456789"


class Clock:
    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def codes(clock: Clock) -> LoginCodes:
    return LoginCodes(TOKEN, clock)


def test_a_code_counts_once(codes: LoginCodes, clock: Clock) -> None:
    """Two codes of one moment are two; neither holds the token."""
    first, second = make_code(TOKEN, clock), make_code(TOKEN, clock)
    assert TOKEN not in first
    assert [codes.redeem(one) for one in (first, second, first, second)] == [True, True, False, False]


@pytest.mark.parametrize(("passed_s", "counts"), [(LIFE_S - 1, True), (LIFE_S + 1, False)])
def test_a_code_grows_old(codes: LoginCodes, clock: Clock, passed_s: float, counts: bool) -> None:
    """Also one that a wrong clock dates in the future."""
    code = make_code(TOKEN, clock)
    clock.now_s += passed_s
    assert codes.redeem(code) is counts
    ahead = make_code(TOKEN, lambda: clock.now_s + passed_s)
    assert codes.redeem(ahead) is counts


def test_a_used_code_stays_used(codes: LoginCodes, clock: Clock) -> None:
    """As long as it would count; later nothing of it is kept."""
    code = make_code(TOKEN, clock)
    assert codes.redeem(code)
    clock.now_s += LIFE_S - 1
    assert codes.redeem(make_code(TOKEN, clock))
    assert not codes.redeem(code)
    clock.now_s += LIFE_S
    assert not codes.redeem(code)
    assert len(codes._used) == 1


def test_a_restart_ends_all_codes(clock: Clock) -> None:
    """The new process does not know which were used."""
    code = make_code(TOKEN, clock)
    clock.now_s += 1
    assert not LoginCodes(TOKEN, clock).redeem(code)


@pytest.mark.parametrize(
    "change",
    [
        lambda code: f"{code}A",
        lambda code: f"1{code}",
        lambda code: f"{code[:-2]}{'--' if code[-2:] != '--' else '__'}",
        lambda code: code.upper(),
        lambda _: "",
        lambda _: TOKEN,
        lambda _: "1.é.ü",
    ],
)
def test_what_is_no_code(codes: LoginCodes, clock: Clock, change: Callable[[str], str]) -> None:
    """Whatever else comes is refused, and uses nothing up."""
    code = make_code(TOKEN, clock)
    assert not codes.redeem(change(code))
    assert codes.redeem(code)


def test_the_code_of_another_token(codes: LoginCodes, clock: Clock) -> None:
    """Such as of a dashboard whose token was replaced."""
    assert not codes.redeem(make_code(f"{TOKEN}x", clock))
