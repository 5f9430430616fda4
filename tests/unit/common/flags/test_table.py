"""Feature flags compiled for a process."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickflag.common.errors import MessageError
from tickflag.common.flags import BUILT_IN, Arm, FlagTable, Rule, SymbolFlagTable, by_symbol, compiled, rules_of
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Control

RULES = [
    Rule(default=True),
    Rule(default=False, percentage=40.0),
    Rule(default=False, percentage=100.0),
    Rule(default=True, percentage=0.0, force={"S3": True}),
    Rule(default=True, percentage=50.0, force={"S3": True, "S4": False, "S9999": True}),
    Rule(default=True, killed=True, force={"S3": True}),
    Rule(default=True, percentage=80.0, arms=(Arm(name="a", share=30.0), Arm(name="b", share=30.0, value=False))),
]


def _wire(**rules: Rule) -> dict[str, Any]:
    """The rules as a worker receives them."""
    features = {name: rule.model_dump(mode="json", exclude_defaults=True) for name, rule in rules.items()}
    return decode_as(Control, encode(Control(state_version=1, time_ms=0, features=features))).features


def test_no_features_are_the_defaults() -> None:
    """The defaults are those of the built-in feature flags, and of those that the trader declares."""
    table = FlagTable.of({}, "rsi", declared={"use_ema": True})
    on = {name: table.on(name) for name in BUILT_IN if not by_symbol(name)}
    assert on == {name: known.default for name, known in BUILT_IN.items() if not by_symbol(name)}
    assert table.on("use_ema")
    with pytest.raises(KeyError):
        table.on("symbol_rate_limit")
    with pytest.raises(KeyError):
        FlagTable.of({}, "rsi").on("use_ema")


@pytest.mark.parametrize("rule", RULES)
def test_a_table_is_what_the_rules_decide(rule: Rule) -> None:
    """They agree over the wire, for the trader and its owner."""
    features = _wire(audit=rule, use_ema=rule)
    for number in range(50):
        table = FlagTable.of(features, f"S{number}", "desk", {"use_ema": not rule.default})
        decision = rule.decide("use_ema", f"S{number}", "desk")
        assert table.decisions["use_ema"] == decision
        assert (table.on("use_ema"), table.arm("use_ema")) == (decision.value, decision.arm)


def test_owner_counts() -> None:
    """The owner is that of the trader that asks."""
    features = _wire(audit=Rule(default=True, owners={"desk": False}))
    assert not FlagTable.of(features, "rsi", "desk").on("audit")
    assert FlagTable.of(features, "rsi").on("audit")


def test_all_traders_at_once() -> None:
    """The table has feature flag, trader and value; feature flags by symbol are left out."""
    rules = rules_of(_wire(audit=Rule(default=True, owners={"desk": False}, force={"rsi": True})))
    table = compiled(rules, {"rsi": "desk", "macd": "desk", "spread": ""})
    assert table["audit"] == {"rsi": True, "macd": False, "spread": True}
    assert "symbol_rate_limit" not in table


def test_features_of_a_newer_collector_are_understood() -> None:
    """Unknown fields are ignored."""
    assert FlagTable.of({"audit": {"default": False, "later": 1}}, "rsi").on("audit") is False


@pytest.mark.parametrize("content", [None, {}, {"default": 5}, {"default": True, "percentage": 101}])
def test_other_features_are_a_message_error(content: object) -> None:
    """The error names the feature flag."""
    with pytest.raises(MessageError, match="feature flag 'audit'"):
        FlagTable.of({"audit": content}, "rsi")


@given(
    st.lists(st.one_of(st.sampled_from(RULES), st.integers(0, 30)), max_size=12),
    st.sampled_from(RULES),
)
def test_a_symbol_table_is_what_the_rules_decide(steps: list[Rule | int], last: Rule) -> None:
    """The order in which rules change and symbols come does not matter."""
    table = SymbolFlagTable("symbol_rate_limit")
    names: list[str] = []
    rule = Rule(default=True)
    for step in [*steps, last]:
        if isinstance(step, int):
            names += [f"S{number}" for number in range(len(names), len(names) + step)]
            table.extend(names)
        else:
            rule = step
            table.follow(_wire(symbol_rate_limit=step))
        expected = [rule.decide("symbol_rate_limit", name).value for name in names]
        assert table.mask.tolist() == expected


def test_a_generation_keeps_the_rule() -> None:
    """The table of a new generation has no symbols at first."""
    table = SymbolFlagTable("symbol_rate_limit")
    table.follow(_wire(symbol_rate_limit=Rule(default=False, percentage=50.0)))
    table.extend(["A", "B"])
    table.begin_generation()
    assert len(table.mask) == 0
    names = [f"S{number}" for number in range(20)]
    table.extend(names)
    rule = Rule(default=False, percentage=50.0)
    assert table.mask.tolist() == [rule.decide("symbol_rate_limit", name).value for name in names]


def test_wrong_features_leave_the_symbol_table() -> None:
    """The table stays as it was."""
    table = SymbolFlagTable("symbol_rate_limit")
    table.extend(["A"])
    with pytest.raises(MessageError):
        table.follow({"symbol_rate_limit": 5})
    assert table.mask.tolist() == [1]
