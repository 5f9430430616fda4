"""Commands on feature flags, and what they publish."""

from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.harnesses.flags_harness import FlagsHarness
from tickflag.common.flags import BUILT_IN, FlagTable
from tickflag.common.flags.rules import Reason
from tickflag.common.wire.codec import encode
from tickflag.common.wire.messages import Request
from tickflag.services.collector.flags.commands import _REASONS
from tickflag.services.collector.flags.flag_store import FlagStore


def test_list_has_every_flag(harness: FlagsHarness) -> None:
    """Each feature flag is listed as in the catalog, and with its value for each trader that has reported."""
    trader = FakeTrader("rsi")
    harness.views.apply(trader.heartbeat(owner="desk"), 0)
    harness.ask("force", flag="audit", owner="desk", value=False)
    answer = harness.ask("list")
    assert (answer["revision"], answer["trouble"]) == (1, "")
    assert [flag["flag"] for flag in answer["flags"]] == list(BUILT_IN)
    assert harness.summary() == {
        "flag": "audit",
        "meaning": BUILT_IN["audit"].meaning,
        "built_in": True,
        "by": "trader",
        "default": True,
        "killed": False,
        "setting": None,
        "percentage": None,
        "arms": [],
        "force": {},
        "owners": {"desk": False},
        "ramp": None,
        "declared_by": [],
        "traders": {"rsi": False},
    }
    assert harness.summary("symbol_rate_limit")["by"] == "symbol"
    assert harness.summary("symbol_rate_limit")["traders"] == {}


class TestDeclared:
    """Feature flags that traders declare as their own."""

    def test_they_are_listed_and_can_be_set(self, harness: FlagsHarness) -> None:
        """They have the default that the first trader declares until somebody sets them; only then they are
        published."""
        for name, default in (("rsi", True), ("macd", False)):
            beat = FakeTrader(name).heartbeat().model_copy(update={"flags": {"use_ema": default}})
            harness.views.apply(beat, 0)
        shown = harness.summary("use_ema")
        assert (shown["default"], shown["built_in"], shown["declared_by"]) == (False, False, ["macd", "rsi"])
        assert harness.control.features == {}
        assert "'use_ema' is known already" in harness.reply("set", flag="use_ema", new=True).error
        assert harness.ask("explain", flag="use_ema", name="rsi")["value"] is False
        harness.ask("force", flag="use_ema", trader="rsi", value=True)
        assert harness.control.features == {"use_ema": {"default": False, "force": {"rsi": True}}}
        assert [flag["flag"] for flag in harness.ask("list")["flags"]] == [*BUILT_IN, "use_ema"]

    def test_an_unknown_one_is_refused_with_those_there_are(self, harness: FlagsHarness) -> None:
        harness.views.apply(FakeTrader().heartbeat().model_copy(update={"flags": {"use_ema": True}}), 0)
        error = harness.reply("kill", flag="use_sma").error
        assert error == f"no feature flag 'use_sma': known are {', '.join([*BUILT_IN, 'use_ema'])}"


def test_set_is_on_off_or_a_percentage(harness: FlagsHarness) -> None:
    """The last setting counts."""
    harness.ask("set", flag="audit", value=25)
    assert harness.summary()["percentage"] == 25.0
    found = [harness.on(f"t{number}") for number in range(200)]
    assert 10 < sum(found) < 90
    harness.ask("set", flag="audit", value=75.5)
    more = [harness.on(f"t{number}") for number in range(200)]
    assert all(after or not before for before, after in zip(found, more, strict=True))
    harness.ask("set", flag="audit", value=False)
    assert harness.summary()["percentage"] is None
    assert not harness.on("t1")


def test_force_is_for_one(harness: FlagsHarness) -> None:
    """A forced trader counts more than its owner; null ends the forcing."""
    harness.ask("force", flag="audit", owner="desk", value=False)
    harness.ask("force", flag="audit", trader="rsi", value=True)
    assert (harness.on("rsi", owner="desk"), harness.on("macd", owner="desk"), harness.on("macd")) == (
        True,
        False,
        True,
    )
    harness.ask("force", flag="audit", trader="rsi", value=None)
    assert not harness.on("rsi", owner="desk")
    harness.ask("force", flag="symbol_rate_limit", symbol="BTC/USDT", value=False)
    assert harness.control.features["symbol_rate_limit"]["force"] == {"BTC/USDT": False}


def test_kill_is_for_all(harness: FlagsHarness) -> None:
    """Forced traders are off too; what was set is back when the kill is revoked."""
    harness.ask("force", flag="audit", trader="rsi", value=True)
    harness.ask("kill", flag="audit")
    assert not harness.on("rsi")
    harness.ask("kill", flag="audit", on=False)
    assert harness.on("rsi")


def test_new_flags_have_to_be_said_so(harness: FlagsHarness) -> None:
    """A new feature flag is off where nothing else is set, and is gone when it is removed."""
    assert "no feature flag 'use_ema'" in harness.reply("set", flag="use_ema", value=True).error
    harness.ask("set", flag="use_ema", new=True, description="Averages of the other kind.")
    assert harness.control.features["use_ema"] == {"default": False}
    assert harness.summary("use_ema")["meaning"] == "Averages of the other kind."
    assert "is known already" in harness.reply("set", flag="use_ema", new=True).error
    assert harness.ask("remove", flag="use_ema")["flag"] is None
    assert harness.control.features == {}
    last = {change["field"]: change["after"] for change in harness.ask("history", flag="use_ema", limit=2)}
    assert last == {"default": None, "description": ""}


def test_remove_takes_all_back(harness: FlagsHarness) -> None:
    """A built-in feature flag is then as in the catalog."""
    harness.ask("set", flag="audit", value=5)
    harness.ask("force", flag="audit", trader="rsi", value=True)
    harness.ask("remove", flag="audit")
    assert harness.store.document.flags == {}
    assert harness.control.features == {}


def test_arms_are_set_with_the_percentage(harness: FlagsHarness) -> None:
    """Arms stay until others are given."""
    arms = [{"name": "a", "share": 50}, {"name": "b", "share": 50, "value": False}]
    harness.ask("set", flag="use_ema", new=True, value=100, arms=arms)
    harness.ask("set", flag="use_ema", value=50)
    explained = [harness.ask("explain", flag="use_ema", name=f"t{number}") for number in range(100)]
    assert {(one["arm"], one["value"]) for one in explained} == {("a", True), ("b", False), (None, False)}
    harness.ask("set", flag="use_ema", arms=[])
    assert harness.summary("use_ema")["percentage"] == 50.0


def test_a_ramp_goes_by_itself_and_waits_for_approval(harness: FlagsHarness) -> None:
    """The published percentage follows the time, without any command."""
    harness.ask("set", flag="audit", value=0)
    harness.ask("ramp", flag="audit", steps=[[10, 60], [50, 60], [100, 0, True]])
    assert harness.summary()["ramp"]["state"] == "holding"
    assert harness.control.features["audit"]["percentage"] == 10.0
    version = harness.control.version
    harness.pass_time(59)
    assert harness.control.version == version
    harness.pass_time(1)
    assert harness.control.features["audit"]["percentage"] == 50.0
    assert "does not wait" in harness.reply("approve", flag="audit").error
    harness.pass_time(100)
    assert harness.summary()["ramp"]["state"] == "waiting for approval"
    harness.ask("approve", flag="audit", who="ann")
    assert harness.summary()["ramp"]["state"] == "done"
    assert harness.on("anybody")
    assert "is done" in harness.reply("halt", flag="audit").error


def test_a_ramp_is_halted_and_rolled_back(harness: FlagsHarness) -> None:
    """A halted ramp stays where it is; a rolled back one leaves everything as before."""
    harness.ask("set", flag="audit", value=5)
    harness.ask("ramp", flag="audit", steps=[[10, 60], [50, 0]])
    harness.pass_time(30)
    harness.ask("halt", flag="audit")
    harness.pass_time(1_000)
    assert harness.summary()["percentage"] == 10.0
    assert harness.summary()["ramp"]["state"] == "halted"
    assert "is halted" in harness.reply("halt", flag="audit").error
    harness.ask("rollback", flag="audit")
    assert (harness.summary()["percentage"], harness.summary()["ramp"]) == (5.0, None)
    for what in ("rollback", "halt", "approve"):
        assert "has no ramp" in harness.reply(what, flag="audit").error


def test_a_second_ramp_goes_on_from_where_the_first_is(harness: FlagsHarness) -> None:
    """A second ramp may not fall below the first, and counts from where that one was; its rollback takes both back."""
    harness.ask("ramp", flag="audit", steps=[[10, 60], [50, 0]])
    harness.ask("halt", flag="audit")
    assert "below the present 10 %: begin" in harness.reply("ramp", flag="audit", steps=[[9, 1]]).error
    harness.ask("ramp", flag="audit", steps=[[20, 1, True], [30, 1]])
    assert harness.summary()["percentage"] == 10.0
    harness.ask("ramp", flag="audit", steps=[[20, 1], [30, 1]])
    assert harness.summary()["percentage"] == 20.0
    harness.ask("rollback", flag="audit")
    assert harness.summary()["percentage"] is None
    harness.ask("ramp", flag="audit", steps=[[20, 1]])
    harness.ask("set", flag="audit", value=True)
    assert harness.summary()["ramp"] is None


@pytest.mark.parametrize("over", [False, True])
def test_a_ramp_after_a_rollback_begins_at_its_own_first_step(harness: FlagsHarness, over: bool) -> None:
    """Also where the ramp that was rolled back went on from one that was not done."""
    harness.ask("ramp", flag="audit", steps=[[10, 60], [50, 0]])
    if over:
        harness.ask("ramp", flag="audit", steps=[[25, 60], [50, 0]])
    harness.ask("rollback", flag="audit")
    harness.ask("ramp", flag="audit", steps=[[1, 60], [50, 0]])
    assert harness.summary()["percentage"] == 1.0


def test_a_ramp_that_is_done_is_what_the_next_one_goes_back_to(harness: FlagsHarness) -> None:
    """What was reached stays reached."""
    harness.ask("ramp", flag="audit", steps=[[10, 0]])
    harness.ask("ramp", flag="audit", steps=[[20, 60], [50, 0]])
    harness.ask("rollback", flag="audit")
    assert harness.summary()["percentage"] == 10.0


@pytest.mark.parametrize(
    ("steps", "reason", "value"),
    [
        ([], "default", True),
        ([("set", {"value": 0})], "percentage", False),
        ([("force", {"owner": "desk", "value": True})], "owner", True),
        ([("force", {"trader": "rsi", "value": False})], "forced", False),
        ([("kill", {})], "killed", False),
    ],
)
def test_explain_gives_value_and_reason(
    harness: FlagsHarness, steps: list[tuple[str, dict[str, Any]]], reason: str, value: bool
) -> None:
    """The owner is the one that the trader reported."""
    harness.views.apply(FakeTrader("rsi").heartbeat(owner="desk"), 0)
    for what, arguments in steps:
        harness.ask(what, flag="audit", **arguments)
    answer = harness.ask("explain", flag="audit", name="rsi")
    assert (answer["reason"], answer["value"], answer["owner"], answer["known"]) == (reason, value, "desk", True)
    assert answer["why"]


def test_explain_has_words_for_a_name_that_is_empty(harness: FlagsHarness) -> None:
    """A percentage divides by name."""
    harness.ask("set", flag="audit", value=50)
    answer = harness.ask("explain", flag="audit", name="")
    assert (answer["reason"], answer["why"]) == ("no identity", "without a name there is no percentage to decide by")


def test_explain_has_words_for_every_reason() -> None:
    """Those of rules, and the setting."""
    assert set(_REASONS) == {*get_args(Reason), "setting"}


def test_explain_gives_the_bucket(harness: FlagsHarness) -> None:
    """The bucket is given where a percentage decides; also for an unknown trader, and for a symbol."""
    harness.ask("set", flag="audit", value=50)
    answer = harness.ask("explain", flag="audit", name="rsi")
    assert answer["value"] == (answer["bucket"] < 50_000)
    assert (answer["known"], answer["owner"], answer["percentage"]) == (False, "", 50.0)
    assert harness.ask("explain", flag="audit", name="rsi", owner="desk")["owner"] == "desk"
    harness.ask("set", flag="symbol_rate_limit", value=50)
    assert harness.ask("explain", flag="symbol_rate_limit", name="BTC/USDT")["bucket"] is not None


def test_history_is_who_when_what(harness: FlagsHarness) -> None:
    """The newest change comes first, of all feature flags or of one."""
    harness.ask("set", flag="audit", value=5, who="ann")
    harness.ask("kill", flag="batch_mode", who="bob")
    harness.ask("set", flag="audit", value=10)
    assert harness.ask("history")[0] == {
        "revision": 3,
        "time_ms": 1_000_000,
        "who": "unknown",
        "flag": "audit",
        "field": "percentage",
        "before": 5.0,
        "after": 10.0,
    }
    assert [change["who"] for change in harness.ask("history")] == ["unknown", "bob", "ann"]
    assert [change["after"] for change in harness.ask("history", flag="audit")] == [10.0, 5.0]
    assert len(harness.ask("history", limit=1)) == 1
    assert harness.ask("history", flag="delta_results") == []
    assert "no feature flag 'x'" in harness.reply("history", flag="x").error


@pytest.mark.parametrize(
    ("what", "arguments", "words"),
    [
        ("set", {"flag": "audit", "value": 101}, ["'audit'", "`percentage`", "100"]),
        ("set", {"flag": "audit", "value": "on"}, ["'audit'", "`percentage`"]),
        ("set", {"flag": "audit", "arms": [{"name": "a"}]}, ["'audit'", "`arms.0.share`"]),
        ("set", {"flag": "audit"}, ["value, arms and description"]),
        ("set", {"flag": "X", "new": True}, ["'X'", "pattern"]),
        ("set", {"flag": "audit", "new": 1}, ["'new'", "true or false"]),
        ("set", {"value": True}, ["'flag'", "missing"]),
        ("set", {"flag": "audit", "value": True, "who": "a\nb"}, ["'who'", "printable"]),
        ("set", {"flag": "audit", "value": "25"}, ["'audit'", "`percentage`"]),
        ("set", {"flag": "audit", "description": b"x"}, ["'description'", "texts"]),
        ("set", {"flag": "audit", "description": 5}, ["'audit'", "`description`"]),
        ("set", {"flag": "audit", "arms": [[[[[[[[[[0]]]]]]]]]]}, ["'arms'", "lists and maps"]),
        ("force", {"flag": "audit", "trader": "a", "value": "yes"}, ["'audit'", "`force.a`"]),
        ("set", {"flag": "audit", "value": False, "who": "x" * 5_000}, ["4096"]),
        ("force", {"flag": "audit", "value": True}, ["'audit'", "trader and owner"]),
        ("force", {"flag": "audit", "trader": "a", "owner": "b", "value": True}, ["trader and owner"]),
        ("force", {"flag": "audit", "trader": "a", "value": 5}, ["'audit'", "`force.a`"]),
        ("force", {"flag": "audit", "symbol": "a", "value": True}, ["no argument 'symbol'"]),
        ("force", {"flag": "symbol_rate_limit", "owner": "a", "value": True}, ["no argument 'owner'"]),
        ("kill", {"flag": "audit", "on": "yes"}, ["'on'"]),
        ("ramp", {"flag": "audit"}, ["'audit'", "`ramp.steps`"]),
        ("ramp", {"flag": "audit", "steps": [[5, 1], [5, 1]]}, ["'audit'", "`steps`"]),
        ("explain", {"flag": "audit"}, ["'name'", "missing"]),
        ("explain", {"flag": "symbol_rate_limit", "name": "A", "owner": "desk"}, ["no argument 'owner'"]),
        ("remove", {"flag": "x"}, ["no feature flag 'x'"]),
        ("list", {"flag": "x"}, ["no argument 'flag'"]),
    ],
)
def test_wrong_requests_are_answered_by_name(
    harness: FlagsHarness, what: str, arguments: dict[str, Any], words: list[str]
) -> None:
    """A wrong request changes nothing."""
    error = harness.reply(what, **arguments).error
    assert all(word in error for word in words), error
    assert (harness.store.document.revision, harness.control.features) == (0, {})


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
COMMANDS = ("list", "set", "force", "kill", "ramp", "approve", "halt", "rollback", "remove", "explain", "history")
NAMES = ("name", "value", "arms", "description", "new", "trader", "owner", "symbol", "on", "steps", "limit", "who")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    what=st.sampled_from(COMMANDS),
    flag=st.sampled_from(["audit", "symbol_rate_limit"]) | st.text(max_size=3),
    arguments=st.dictionaries(st.sampled_from(NAMES), plain, max_size=3),
)
def test_any_arguments_get_an_answer(harness: FlagsHarness, what: str, flag: str, arguments: dict[str, Any]) -> None:
    """No request raises, every answer can be sent, and what was stored can be read again."""
    harness.reply(what, flag=flag, **arguments)
    FlagTable.of(harness.control.document(0).features, "rsi")
    assert FlagStore(harness.path).trouble == ""


def test_a_key_of_another_machine_is_in_the_history(harness: FlagsHarness) -> None:
    """The key stands behind the name that the client gives itself."""
    request = Request(id=1, what="flags.kill", arguments={"flag": "audit", "who": "bob"})
    assert harness.commands.answer(request, "ann").error == ""
    assert harness.ask("history")[0]["who"] == "bob (key ann)"


def test_flags_that_would_not_fit_are_refused(harness: FlagsHarness) -> None:
    """All feature flags travel in one control message. What is set already stays, and can be removed."""
    flag = 0
    reply = harness.reply("list")
    while not reply.error:
        flag += 1
        arms = [{"name": f"{arm}{'x' * 120}", "share": 0.01} for arm in range(1_000)]
        reply = harness.reply("set", flag=f"f{flag}", new=True, arms=arms)
    assert "1,048,576 characters" in reply.error
    assert 2 < flag < 20
    assert len(encode(harness.control.document(0))) < 2_000_000
    assert harness.reply("remove", flag="f1").error == ""
