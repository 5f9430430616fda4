"""Who has a feature flag on."""

import math
from typing import Any

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tickflag.common.flags.buckets import bucket, points
from tickflag.common.flags.rules import Arm, Decision, Rule

thousandths = st.integers(0, 100_000).map(lambda value: value / 1_000)
identities = st.text(min_size=1, max_size=20)
flags = st.from_regex(r"[a-z_]{1,20}", fullmatch=True)


@st.composite
def arms(draw: st.DrawFn) -> tuple[Arm, ...]:
    left, found = 100_000, []
    for number in range(draw(st.integers(0, 4))):
        if left:
            share = draw(st.integers(1, left))
            left -= share
            found.append(Arm(name=f"arm{number}", share=share / 1_000, value=draw(st.booleans())))
    return tuple(found)


LADDER: list[tuple[dict[str, Any], str]] = [
    ({"killed": True}, "killed"),
    ({"force": {"rsi": True}}, "forced"),
    ({"owners": {"desk": True}}, "owner"),
    ({"percentage": 100.0}, "percentage"),
    ({}, "default"),
]


@pytest.mark.parametrize("rung", range(len(LADDER)))
def test_precedence(rung: int) -> None:
    """Kill switch > force > owner > percentage > default: the higher one counts, with everything below it set
    otherwise."""
    fields: dict[str, Any] = {"default": False, "percentage": 0.0, "owners": {"desk": False}, "force": {"rsi": False}}
    for below in range(rung):
        for name in LADDER[below][0]:
            fields.pop(name, None)
    reason = LADDER[rung][1]
    fields |= LADDER[rung][0]
    decision = Rule(**fields).decide("audit", "rsi", "desk")
    assert decision.reason == reason
    assert decision.value == (reason not in ("killed", "default"))


def test_others_are_not_meant() -> None:
    """Force goes by the exact name of a trader, the owner's rule by the owner."""
    rule = Rule(default=True, force={"rsi": False}, owners={"desk": False})
    assert rule.decide("audit", "rsi2", "") == Decision(True, "default")
    assert rule.decide("audit", "rsi2", "desk") == Decision(False, "owner")


@pytest.mark.parametrize("percentage", [0.0, 100.0])
def test_nothing_and_all_need_no_identity(percentage: float) -> None:
    """Nobody's bucket is computed either."""
    rule = Rule(default=percentage == 0.0, percentage=percentage)
    assert rule.decide("audit", "") == Decision(percentage == 100.0, "percentage")
    assert rule.decide("audit", "rsi") == Decision(percentage == 100.0, "percentage")


def test_a_share_needs_an_identity() -> None:
    """Without one the default counts, and the reason says so; with arms also at 100 percent, but not at 0."""
    assert Rule(default=True, percentage=50.0).decide("audit", "") == Decision(True, "no identity")
    arms = (Arm(name="a", share=100.0),)
    assert Rule(default=True, percentage=100.0, arms=arms).decide("audit", "") == Decision(True, "no identity")
    assert Rule(default=True, percentage=0.0, arms=arms).decide("audit", "") == Decision(False, "percentage")


@given(flags, identities, thousandths)
def test_a_percentage_is_as_flagd_has_it(flag: str, identity: str, percentage: float) -> None:
    """The decision is that of `fractional` with the weights of on and off, in thousandths of a percent."""
    weights = {True: points(percentage), False: 100_000 - points(percentage)}
    place = (mmh3.hash((flag + identity).encode(), signed=False) * sum(weights.values())) >> 32
    expected = place < weights[True]
    assert Rule(default=False, percentage=percentage).decide(flag, identity).value is expected


@given(flags, identities)
def test_the_bucket_at_the_edge_is_out(flag: str, identity: str) -> None:
    """A percentage of n thousandths has the buckets 0 to n - 1; an arm ends where the next one begins."""
    place = bucket(flag, identity)
    assert not Rule(default=True, percentage=place / 1_000).decide(flag, identity).value
    assert Rule(default=False, percentage=(place + 1) / 1_000).decide(flag, identity).value
    if place > 0:
        arms = (Arm(name="a", share=place / 1_000), Arm(name="b", share=(100_000 - place) / 1_000))
        assert Rule(default=True, percentage=100.0, arms=arms).decide(flag, identity).arm == "b"


@given(flags, identities, arms(), thousandths, thousandths)
def test_ramping_only_adds(flag: str, identity: str, arms: tuple[Arm, ...], one: float, other: float) -> None:
    """A trader in an arm is in the same arm at any higher percentage."""
    low, high = sorted((one, other))
    before = Rule(default=False, percentage=low, arms=arms).decide(flag, identity)
    after = Rule(default=False, percentage=high, arms=arms).decide(flag, identity)
    if before.arm is not None:
        assert after.arm == before.arm or (high == 100 and not arms)
        assert after.value == before.value
    if not arms:
        assert before.value <= after.value


@given(flags, identities, arms())
def test_all_arms_are_full_in_the_end(flag: str, identity: str, arms: tuple[Arm, ...]) -> None:
    """At 100 percent each arm has the whole of its share, in the order of the arms."""
    decision = Rule(default=False, percentage=100.0, arms=arms).decide(flag, identity)
    place, end, expected = bucket(flag, identity), 0, None
    for arm in reversed(arms):
        end = sum(points(other.share) for other in arms[: arms.index(arm) + 1])
        if place < end:
            expected = arm.name
    assert decision.arm == expected
    assert not arms or decision.value == next((arm.value for arm in arms if arm.name == expected), False)


def test_a_share_is_about_that_many() -> None:
    """The share is right within five standard deviations, also a small one."""
    for percentage in (0.5, 20.0, 75.0):
        rule, count = Rule(default=False, percentage=percentage), 20_000
        found = sum(rule.decide("batch_mode", f"SYMBOL{number}").value for number in range(count))
        p = percentage / 100
        assert abs(found - count * p) < 5 * math.sqrt(count * p * (1 - p))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"arms": [{"name": "a", "share": 60}, {"name": "a", "share": 1}]}, "`arms`: a name"),
        ({"arms": [{"name": "a", "share": 60}, {"name": "b", "share": 40.001}]}, "`arms`: the shares"),
        ({"arms": [{"name": "a", "share": 0}]}, "greater than 0"),
        ({"percentage": 101}, "percentage"),
        ({"force": {"": True}}, "force"),
    ],
)
def test_a_wrong_rule_is_refused(fields: dict[str, Any], words: str) -> None:
    """The error names the field at fault."""
    with pytest.raises(ValidationError, match=words):
        Rule.model_validate({"default": True} | fields)
