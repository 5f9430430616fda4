"""Commands on feature flags, and what they publish."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.clock import ReplayClock
from common.codec import decode_as, encode
from common.errors import TickflagError
from common.flags import BUILT_IN, FlagTable
from common.flags.buckets import bucket
from common.log import Logger
from common.messages import Reply, Request
from services.collector.commands import Commands
from services.collector.control import ControlState
from services.collector.flagdesk import FlagDesk
from services.collector.flagstore import FlagStore
from services.collector.journal import Journal
from services.collector.views import Views
from tests.support.fake_trader import FakeTrader
from tests.support.recorded_log import RecordedLog


class Office:
    """A desk over a real file, asked through the codec; `seconds` moves its clock."""

    def __init__(self, path: Path, at_start: dict[str, bool] | None = None) -> None:
        self.path = path
        self.clock = ReplayClock(1_000_000_000_000)
        self.control = ControlState()
        self.views = Views(self.control, 5_000_000_000)
        self.log = RecordedLog()
        log = cast(Logger, self.log)
        self.store = FlagStore(path)
        self.desk = FlagDesk(self.store, self.views, self.control, self.clock, log, at_start or {})
        self.journal = Journal(":memory:")
        self.commands = Commands(self.views, self.journal, self.control, self.clock, dict, self.desk.commands)

    def reply(self, what: str, **arguments: Any) -> Reply:
        request = decode_as(Request, encode(Request(id=5, what=f"flags.{what}", arguments=arguments)))
        return decode_as(Reply, encode(self.commands.answer(request)))

    def ask(self, what: str, **arguments: Any) -> Any:
        reply = self.reply(what, **arguments)
        assert reply.error == ""
        return reply.result

    def pass_time(self, seconds: float) -> None:
        self.clock.now_ns += round(seconds * 1e9)
        self.desk.refresh()

    def on(self, trader: str, flag: str = "audit", owner: str = "") -> bool:
        """As the trader's worker finds it in the control state."""
        return FlagTable.of(self.control.document(0).features, trader, owner).on(flag)

    def shown(self, flag: str = "audit") -> dict[str, Any]:
        (found,) = (one for one in self.ask("list")["flags"] if one["flag"] == flag)
        return cast(dict[str, Any], found)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "j.flags.json")
    yield office
    office.journal.close()


def test_defaults_are_not_published(office: Office) -> None:
    """The control state is empty until something is set, and each change grows its version once."""
    assert office.control.features == {}
    version = office.control.version
    office.ask("set", flag="audit", value=False)
    assert office.control.features == {"audit": {"default": False}}
    assert office.control.version == version + 1
    office.ask("set", flag="audit", value=False)
    office.desk.refresh()
    assert office.control.version == version + 1
    office.ask("set", flag="audit", value=True)
    assert office.control.features == {}


def test_list_has_every_flag(office: Office) -> None:
    """As the catalog has it, and for each trader that reported."""
    trader = FakeTrader("rsi")
    office.views.apply(trader.heartbeat(owner="desk"), 0)
    office.ask("force", flag="audit", owner="desk", value=False)
    answer = office.ask("list")
    assert (answer["revision"], answer["trouble"]) == (1, "")
    assert [flag["flag"] for flag in answer["flags"]] == list(BUILT_IN)
    assert office.shown() == {
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
    assert office.shown("symbol_rate_limit")["by"] == "symbol"
    assert office.shown("symbol_rate_limit")["traders"] == {}


def test_changes_are_told_once(office: Office) -> None:
    """Whoever made them."""
    office.ask("set", flag="audit", value=25, who="ann")
    office.ask("set", flag="audit", value=25, who="bob")
    told = [(change.flag, change.field, change.after, change.who) for change in office.desk.take_changes()]
    assert told == [("audit", "percentage", 25.0, "ann")]
    assert office.desk.take_changes() == []


class TestDeclared:
    """Feature flags that traders declare as their own."""

    def test_they_are_listed_and_can_be_set(self, office: Office) -> None:
        """With the default that the first of them declares, until somebody sets them; they are published only then."""
        for name, default in (("rsi", True), ("macd", False)):
            beat = FakeTrader(name).heartbeat().model_copy(update={"flags": {"use_ema": default}})
            office.views.apply(beat, 0)
        shown = office.shown("use_ema")
        assert (shown["default"], shown["built_in"], shown["declared_by"]) == (False, False, ["macd", "rsi"])
        assert office.control.features == {}
        assert "'use_ema' is known already" in office.reply("set", flag="use_ema", new=True).error
        assert office.ask("explain", flag="use_ema", name="rsi")["value"] is False
        office.ask("force", flag="use_ema", trader="rsi", value=True)
        assert office.control.features == {"use_ema": {"default": False, "force": {"rsi": True}}}
        assert [flag["flag"] for flag in office.ask("list")["flags"]] == [*BUILT_IN, "use_ema"]

    def test_an_unknown_one_is_refused_with_those_there_are(self, office: Office) -> None:
        office.views.apply(FakeTrader().heartbeat().model_copy(update={"flags": {"use_ema": True}}), 0)
        error = office.reply("kill", flag="use_sma").error
        assert error == f"no feature flag 'use_sma': known are {', '.join([*BUILT_IN, 'use_ema'])}"


class TestRollBack:
    """A circuit opens for a trader."""

    @staticmethod
    def _among(office: Office, value: bool) -> str:
        """A trader for whom the flag has this value, and none of the first 5 %."""
        names = (f"t{number}" for number in range(1_000))
        return next(name for name in names if office.on(name) is value and bucket("audit", name) >= 5_000)

    def test_a_ramp_that_switched_it_over_is_taken_back(self, office: Office) -> None:
        """Noted in the history, and told."""
        office.ask("set", flag="audit", value=5)
        office.ask("ramp", flag="audit", steps=[[50, 60], [100, 0]])
        trader = self._among(office, True)
        assert office.desk.roll_back_for(trader, "its circuit opened") == ["audit"]
        assert (office.shown()["percentage"], office.shown()["ramp"]) == (5.0, None)
        assert office.ask("history", flag="audit", limit=1)[0]["who"] == "recovery: its circuit opened"
        assert office.log.lines[-1][2] == {"flag": "audit", "trader": trader, "reason": "its circuit opened"}
        assert office.desk.roll_back_for(trader, "again") == []

    def test_a_disk_that_is_full_is_only_told(self, office: Office) -> None:
        """Recovery goes on."""
        office.ask("ramp", flag="audit", steps=[[50, 60], [100, 0]])
        trader = self._among(office, False)
        office.path.unlink()
        office.path.mkdir()
        assert office.desk.roll_back_for(trader, "it opened") == ["audit"]
        assert office.log.events()[-1] == "ramp not rolled back"
        assert office.shown()["ramp"] is not None

    def test_a_ramp_switches_off_as_well(self, office: Office) -> None:
        """Of what is on by default, the first step takes it from those that it does not take in."""
        office.ask("ramp", flag="audit", steps=[[50, 60], [100, 0]])
        assert office.desk.roll_back_for(self._among(office, False), "it opened") == ["audit"]

    @pytest.mark.parametrize("whose", ["not yet", "before", "forced", "owner", "done"])
    def test_others_take_nothing_back(self, office: Office, whose: str) -> None:
        """Who was on before the ramp, is not yet, is forced, or whose ramp is done."""
        office.ask("set", flag="audit", value=5)
        office.ask("ramp", flag="audit", steps=[[50, 60]] if whose == "done" else [[50, 60], [100, 0]])
        trader = self._among(office, whose != "not yet")
        if whose == "before":
            trader = next(name for name in (f"t{number}" for number in range(1_000)) if bucket("audit", name) < 5_000)
        elif whose == "forced":
            office.ask("force", flag="audit", trader=trader, value=True)
        elif whose == "owner":
            office.views.apply(FakeTrader(trader).heartbeat(owner="desk"), 0)
            office.ask("force", flag="audit", owner="desk", value=True)
        assert office.desk.roll_back_for(trader, "it opened") == []


def test_set_is_on_off_or_a_percentage(office: Office) -> None:
    """The last one counts."""
    office.ask("set", flag="audit", value=25)
    assert office.shown()["percentage"] == 25.0
    found = [office.on(f"t{number}") for number in range(200)]
    assert 10 < sum(found) < 90
    office.ask("set", flag="audit", value=75.5)
    more = [office.on(f"t{number}") for number in range(200)]
    assert all(after or not before for before, after in zip(found, more, strict=True))
    office.ask("set", flag="audit", value=False)
    assert office.shown()["percentage"] is None
    assert not office.on("t1")


def test_force_is_for_one(office: Office) -> None:
    """A trader before its owner; null takes it back."""
    office.ask("force", flag="audit", owner="desk", value=False)
    office.ask("force", flag="audit", trader="rsi", value=True)
    assert (office.on("rsi", owner="desk"), office.on("macd", owner="desk"), office.on("macd")) == (True, False, True)
    office.ask("force", flag="audit", trader="rsi", value=None)
    assert not office.on("rsi", owner="desk")
    office.ask("force", flag="symbol_rate_limit", symbol="BTC/USDT", value=False)
    assert office.control.features["symbol_rate_limit"]["force"] == {"BTC/USDT": False}


def test_kill_is_for_all(office: Office) -> None:
    """Also the forced ones; what was set is back when it is taken back."""
    office.ask("force", flag="audit", trader="rsi", value=True)
    office.ask("kill", flag="audit")
    assert not office.on("rsi")
    office.ask("kill", flag="audit", on=False)
    assert office.on("rsi")


def test_new_flags_have_to_be_said_so(office: Office) -> None:
    """They are off where nothing else is set, and go when they are removed."""
    assert "no feature flag 'use_ema'" in office.reply("set", flag="use_ema", value=True).error
    office.ask("set", flag="use_ema", new=True, description="Averages of the other kind.")
    assert office.control.features["use_ema"] == {"default": False}
    assert office.shown("use_ema")["meaning"] == "Averages of the other kind."
    assert "is known already" in office.reply("set", flag="use_ema", new=True).error
    assert office.ask("remove", flag="use_ema")["flag"] is None
    assert office.control.features == {}
    last = {change["field"]: change["after"] for change in office.ask("history", flag="use_ema", limit=2)}
    assert last == {"default": None, "description": ""}


def test_remove_takes_all_back(office: Office) -> None:
    """A built-in flag is then as the catalog has it."""
    office.ask("set", flag="audit", value=5)
    office.ask("force", flag="audit", trader="rsi", value=True)
    office.ask("remove", flag="audit")
    assert office.store.document.flags == {}
    assert office.control.features == {}


def test_arms_are_set_with_the_percentage(office: Office) -> None:
    """And remain until others are given."""
    arms = [{"name": "a", "share": 50}, {"name": "b", "share": 50, "value": False}]
    office.ask("set", flag="use_ema", new=True, value=100, arms=arms)
    office.ask("set", flag="use_ema", value=50)
    explained = [office.ask("explain", flag="use_ema", name=f"t{number}") for number in range(100)]
    assert {(one["arm"], one["value"]) for one in explained} == {("a", True), ("b", False), (None, False)}
    office.ask("set", flag="use_ema", arms=[])
    assert office.shown("use_ema")["percentage"] == 50.0


def test_a_ramp_goes_by_itself_and_waits_for_approval(office: Office) -> None:
    """What is published follows the time, without any command."""
    office.ask("set", flag="audit", value=0)
    office.ask("ramp", flag="audit", steps=[[10, 60], [50, 60], [100, 0, True]])
    assert office.shown()["ramp"]["state"] == "holding"
    assert office.control.features["audit"]["percentage"] == 10.0
    version = office.control.version
    office.pass_time(59)
    assert office.control.version == version
    office.pass_time(1)
    assert office.control.features["audit"]["percentage"] == 50.0
    assert "does not wait" in office.reply("approve", flag="audit").error
    office.pass_time(100)
    assert office.shown()["ramp"]["state"] == "waiting for approval"
    office.ask("approve", flag="audit", who="ann")
    assert office.shown()["ramp"]["state"] == "done"
    assert office.on("anybody")
    assert "is done" in office.reply("halt", flag="audit").error


def test_a_ramp_is_halted_and_rolled_back(office: Office) -> None:
    """Halted it stays where it is; rolled back all is as before it."""
    office.ask("set", flag="audit", value=5)
    office.ask("ramp", flag="audit", steps=[[10, 60], [50, 0]])
    office.pass_time(30)
    office.ask("halt", flag="audit")
    office.pass_time(1_000)
    assert office.shown()["percentage"] == 10.0
    assert office.shown()["ramp"]["state"] == "halted"
    assert "is halted" in office.reply("halt", flag="audit").error
    office.ask("rollback", flag="audit")
    assert (office.shown()["percentage"], office.shown()["ramp"]) == (5.0, None)
    for what in ("rollback", "halt", "approve"):
        assert "has no ramp" in office.reply(what, flag="audit").error


def test_a_second_ramp_goes_on_from_where_the_first_is(office: Office) -> None:
    """It may not fall behind, and rolling it back goes there."""
    office.ask("ramp", flag="audit", steps=[[10, 60], [50, 0]])
    office.ask("halt", flag="audit")
    assert "below the present 10 %" in office.reply("ramp", flag="audit", steps=[[9, 1]]).error
    office.ask("ramp", flag="audit", steps=[[20, 1]])
    office.ask("rollback", flag="audit")
    assert office.shown()["percentage"] == 10.0
    office.ask("ramp", flag="audit", steps=[[20, 1]])
    office.ask("set", flag="audit", value=True)
    assert office.shown()["ramp"] is None


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
    office: Office, steps: list[tuple[str, dict[str, Any]]], reason: str, value: bool
) -> None:
    """Of a trader with the owner that it reported."""
    office.views.apply(FakeTrader("rsi").heartbeat(owner="desk"), 0)
    for what, arguments in steps:
        office.ask(what, flag="audit", **arguments)
    answer = office.ask("explain", flag="audit", name="rsi")
    assert (answer["reason"], answer["value"], answer["owner"], answer["known"]) == (reason, value, "desk", True)
    assert answer["why"]


def test_explain_gives_the_bucket(office: Office) -> None:
    """Where a percentage decides; also of a trader that nobody knows yet, and of a symbol."""
    office.ask("set", flag="audit", value=50)
    answer = office.ask("explain", flag="audit", name="rsi")
    assert answer["value"] == (answer["bucket"] < 50_000)
    assert (answer["known"], answer["owner"], answer["percentage"]) == (False, "", 50.0)
    assert office.ask("explain", flag="audit", name="rsi", owner="desk")["owner"] == "desk"
    office.ask("set", flag="symbol_rate_limit", value=50)
    assert office.ask("explain", flag="symbol_rate_limit", name="BTC/USDT")["bucket"] is not None


def test_the_setting_counts_more_than_what_is_stored(tmp_path: Path) -> None:
    """But for the kill switch; what is set meanwhile is stored."""
    office = Office(tmp_path / "f.json", {"audit": False, "batch_mode": True})
    office.ask("force", flag="audit", trader="rsi", value=True)
    assert not office.on("rsi")
    assert office.ask("explain", flag="audit", name="rsi")["reason"] == "setting"
    assert office.shown()["setting"] is False
    office.ask("kill", flag="batch_mode")
    assert not office.on("rsi", "batch_mode")
    assert office.ask("explain", flag="batch_mode", name="rsi")["reason"] == "killed"
    assert Office(tmp_path / "f.json").on("rsi")


def test_a_setting_of_an_unknown_flag_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its origin, and the flags there are; one that was made before is known, and then may not be removed."""
    monkeypatch.setenv("TICKFLAG_FLAGS__USE_EMA", "true")
    with pytest.raises(
        TickflagError,
        match=r"setting `flags.use_ema` \(environment variable TICKFLAG_FLAGS__USE_EMA\): no such feature flag: "
        r"known .*`tickflag flags set use_ema ",
    ):
        Office(tmp_path / "f.json", {"use_ema": True})
    Office(tmp_path / "f.json").ask("set", flag="use_ema", new=True)
    office = Office(tmp_path / "f.json", {"use_ema": True})
    assert "named by the setting" in office.reply("remove", flag="use_ema").error
    office = Office(tmp_path / "g.json", {"audit": True})
    assert office.reply("remove", flag="audit").error == ""


def test_history_is_who_when_what(office: Office) -> None:
    """The newest first, of all flags or of one."""
    office.ask("set", flag="audit", value=5, who="ann")
    office.ask("kill", flag="batch_mode", who="bob")
    office.ask("set", flag="audit", value=10)
    assert office.ask("history")[0] == {
        "revision": 3,
        "time_ms": 1_000_000,
        "who": "unknown",
        "flag": "audit",
        "field": "percentage",
        "before": 5.0,
        "after": 10.0,
    }
    assert [change["who"] for change in office.ask("history")] == ["unknown", "bob", "ann"]
    assert [change["after"] for change in office.ask("history", flag="audit")] == [10.0, 5.0]
    assert len(office.ask("history", limit=1)) == 1
    assert office.ask("history", flag="delta_results") == []
    assert "no feature flag 'x'" in office.reply("history", flag="x").error


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
    office: Office, what: str, arguments: dict[str, Any], words: list[str]
) -> None:
    """And change nothing."""
    error = office.reply(what, **arguments).error
    assert all(word in error for word in words), error
    assert (office.store.document.revision, office.control.features) == (0, {})


def test_an_edited_file_is_published(office: Office) -> None:
    """At the next heartbeat; a damaged one is told once, and leaves all as it was."""
    office.path.write_text(json.dumps({"flags": {"audit": {"default": False}}}))
    office.desk.refresh()
    assert not office.on("rsi")
    office.path.write_text("{")
    office.desk.refresh()
    office.desk.refresh()
    assert not office.on("rsi")
    assert [fields["trouble"] for level, _, fields in office.log.lines if level == "warning"] == [office.store.trouble]
    assert office.ask("list")["trouble"] == office.store.trouble != ""
    office.ask("set", flag="audit", value=True)
    assert office.ask("list")["trouble"] == ""


def test_changes_are_logged(office: Office) -> None:
    """With who made them; what changes nothing is not."""
    office.ask("kill", flag="audit", who="ann")
    office.ask("kill", flag="audit", who="ann")
    assert office.log.lines == [("info", "feature flag changed", {"flag": "audit", "who": "ann", "revision": 1})]


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
def test_any_arguments_get_an_answer(office: Office, what: str, flag: str, arguments: dict[str, Any]) -> None:
    """No request raises, every answer can be sent, and what is stored can be read again."""
    office.reply(what, flag=flag, **arguments)
    FlagTable.of(office.control.document(0).features, "rsi")
    assert FlagStore(office.path).trouble == ""


def test_a_key_of_another_machine_is_in_the_history(office: Office) -> None:
    """Behind what the client says of itself."""
    request = Request(id=1, what="flags.kill", arguments={"flag": "audit", "who": "bob"})
    assert office.commands.answer(request, "ann").error == ""
    assert office.ask("history")[0]["who"] == "bob (key ann)"


def test_flags_that_would_not_fit_are_refused(office: Office) -> None:
    """All of them travel in one control message; what is there already stays, and can be removed."""
    flag = 0
    reply = office.reply("list")
    while not reply.error:
        flag += 1
        arms = [{"name": f"{arm}{'x' * 120}", "share": 0.01} for arm in range(1_000)]
        reply = office.reply("set", flag=f"f{flag}", new=True, arms=arms)
    assert "1,048,576 characters" in reply.error
    assert 2 < flag < 20
    assert len(encode(office.control.document(0))) < 2_000_000
    assert office.reply("remove", flag="f1").error == ""
