"""The OpenFeature provider, asked through its client."""

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openfeature", reason="needs openfeature-sdk: pip install 'tickflag[flags]'")

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

from tickflag.common.flags import Arm, Rule
from tickflag.common.flags.provider import FlagProvider

RULES = {
    "killed": Rule(default=True, killed=True),
    "forced": Rule(default=False, force={"rsi": True}),
    "owned": Rule(default=False, owners={"desk": True}),
    "shared": Rule(default=False, percentage=30.0),
    "armed": Rule(
        default=False, percentage=90.0, arms=(Arm(name="a", share=50.0), Arm(name="b", share=50.0, value=False))
    ),
    "all": Rule(default=False, percentage=100.0),
    "plain": Rule(default=True),
}


@pytest.fixture
def client() -> Iterator[OpenFeatureClient]:
    api.set_provider(FlagProvider(lambda: RULES), "tickflag")
    yield api.get_client("tickflag")
    api.clear_providers()


def _context(trader: str | None, owner: Any = None) -> EvaluationContext:
    return EvaluationContext(trader, {} if owner is None else {"owner": owner})


@pytest.mark.parametrize("flag", RULES)
def test_it_serves_what_the_rules_decide(client: OpenFeatureClient, flag: str) -> None:
    """Value, variant and bucket agree for many traders, with the right default or a wrong one."""
    for number in range(100):
        trader = f"trader-{number}"
        decision = RULES[flag].decide(flag, trader, "desk")
        details = client.get_boolean_details(flag, not decision.value, _context(trader, "desk"))
        assert details.value is decision.value
        assert details.error_code is None
        assert details.variant == (decision.arm or ("on" if decision.value else "off"))
        assert details.flag_metadata.get("bucket") == decision.bucket


@pytest.mark.parametrize(
    ("flag", "trader", "owner", "reason"),
    [
        ("killed", "rsi", None, Reason.DISABLED),
        ("forced", "rsi", None, Reason.TARGETING_MATCH),
        ("owned", "rsi", "desk", Reason.TARGETING_MATCH),
        ("owned", "rsi", 5, Reason.DEFAULT),
        ("shared", "rsi", None, Reason.SPLIT),
        ("all", None, None, Reason.SPLIT),
        ("plain", None, None, Reason.DEFAULT),
    ],
)
def test_reasons(client: OpenFeatureClient, flag: str, trader: str | None, owner: Any, reason: Reason) -> None:
    """The reasons are OpenFeature's words."""
    assert client.get_boolean_details(flag, False, _context(trader, owner)).reason == reason


def test_errors(client: OpenFeatureClient) -> None:
    """The caller gets its default, with the code that says why."""
    details = client.get_boolean_details("nothing", True)
    assert (details.value, details.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
    details = client.get_boolean_details("shared", True)
    assert (details.value, details.error_code) == (True, ErrorCode.TARGETING_KEY_MISSING)
    for found in (
        client.get_string_details("plain", "x"),
        client.get_integer_details("plain", 5),
        client.get_float_details("plain", 5.0),
        client.get_object_details("plain", {}),
    ):
        assert found.error_code == ErrorCode.TYPE_MISMATCH


def test_it_has_a_name(client: OpenFeatureClient) -> None:
    """Tools show the name."""
    assert client.provider.get_metadata().name == "tickflag"


CARDS = tuple(Arm(name=name, share=25.0) for name in ("clubs", "diamonds", "hearts", "spades"))
COIN = (Arm(name="heads", share=50.0), Arm(name="tails", share=50.0))
HALVES = (Arm(name="lower", share=50.0), Arm(name="upper", share=50.0))


@pytest.mark.parametrize(
    ("flag", "arms", "key", "variant"),
    [
        ("fractional-flag", CARDS, "jack", "hearts"),
        ("fractional-flag", CARDS, "queen", "spades"),
        ("fractional-flag", CARDS, "ten", "clubs"),
        ("fractional-flag", CARDS, "nine", "diamonds"),
        ("fractional-flag", CARDS, "3", "clubs"),
        ("shared-seed", CARDS, "seven", "hearts"),
        ("shared-seed", CARDS, "eight", "diamonds"),
        ("shared-seed", CARDS, "nine", "clubs"),
        ("shared-seed", CARDS, "two", "spades"),
        ("fractional-flag-shorthand", COIN, "jon@company.com", "heads"),
        ("fractional-flag-shorthand", COIN, "jane@company.com", "tails"),
    ],
)
def test_it_decides_as_flagd_does(
    client: OpenFeatureClient,
    monkeypatch: pytest.MonkeyPatch,
    flag: str,
    arms: tuple[Arm, ...],
    key: str,
    variant: str,
) -> None:
    """The examples of flagd's conformance suite (flagd-testbed, targeting.feature, `fractional-v2`)."""
    monkeypatch.setitem(RULES, flag, Rule(default=False, percentage=100.0, arms=arms))
    assert client.get_boolean_details(flag, False, _context(key)).variant == variant


@pytest.mark.parametrize(
    ("key", "variant"),
    [("ejOoVL", "lower"), ("bY9fO-", "lower"), ("SI7p-", "lower"), ("6LvT0", "upper"), ("ceQdGm", "upper")],
)
def test_the_edges_of_the_hash_are_where_flagd_has_them(key: str, variant: str) -> None:
    """The keys, of the same suite, have hashes of 0, 1, the two in the middle and the highest. There the key is hashed
    alone, as for a flag without a name."""
    assert Rule(default=False, percentage=100.0, arms=HALVES).decide("", key).arm == variant
