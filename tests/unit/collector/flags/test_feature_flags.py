"""The feature flags in force: in the control state, as notices, in the log; and ramps that are rolled back."""

import json
from pathlib import Path

import pytest

from tests.support.harnesses.fake_trader import FakeTrader
from tests.support.harnesses.flags_harness import FlagsHarness
from tickflag.common.errors import TickflagError
from tickflag.common.flags.buckets import bucket
from tickflag.common.units import NS_PER_S


def test_defaults_are_not_published(harness: FlagsHarness) -> None:
    """The control state is empty until something is set, and each change grows its version once."""
    assert harness.control.features == {}
    version = harness.control.version
    harness.ask("set", flag="audit", value=False)
    assert harness.control.features == {"audit": {"default": False}}
    assert harness.control.version == version + 1
    harness.ask("set", flag="audit", value=False)
    harness.flags.refresh()
    assert harness.control.version == version + 1
    harness.ask("set", flag="audit", value=True)
    assert harness.control.features == {}


def test_changes_are_told_once(harness: FlagsHarness) -> None:
    """Each change is told once, whoever made it."""
    harness.ask("set", flag="audit", value=25, who="ann")
    harness.ask("set", flag="audit", value=25, who="bob")
    harness.flags.queue_notices()
    (notice,) = harness.notices.drain()
    assert (notice.what, notice.trader, notice.reason) == ("feature flag", "", "ann")
    assert (notice.before, notice.after) == ("audit, percentage: nothing", "audit, percentage: 25 %")
    harness.flags.queue_notices()
    assert harness.notices.drain() == []


class TestRollBack:
    """A circuit opens for a trader."""

    @staticmethod
    def _among(harness: FlagsHarness, value: bool) -> str:
        """A trader with this value of the feature flag, and not of the first 5 %."""
        names = (f"t{number}" for number in range(1_000))
        return next(name for name in names if harness.on(name) is value and bucket("audit", name) >= 5_000)

    def test_a_ramp_that_switched_it_over_is_taken_back(self, harness: FlagsHarness) -> None:
        """The rollback is in the history and in the log."""
        harness.ask("set", flag="audit", value=5)
        harness.ask("ramp", flag="audit", steps=[[50, 60], [100, 0]])
        trader = self._among(harness, True)
        assert harness.flags.roll_back_for(trader, "its circuit opened") == ["audit"]
        assert (harness.summary()["percentage"], harness.summary()["ramp"]) == (5.0, None)
        assert harness.ask("history", flag="audit", limit=1)[0]["who"] == "recovery: its circuit opened"
        assert harness.log.lines[-1][2] == {"flag": "audit", "trader": trader, "reason": "its circuit opened"}
        assert harness.flags.roll_back_for(trader, "again") == []

    def test_the_last_step_is_on_trial_while_it_is_held(self, harness: FlagsHarness) -> None:
        """A failure within that time rolls back; after it the ramp is done."""
        harness.ask("set", flag="audit", value=5)
        for passed_s, rolled_back in ((59, ["audit"]), (60, [])):
            harness.ask("ramp", flag="audit", steps=[[50, 60]])
            trader = self._among(harness, True)
            harness.clock.now_ns += passed_s * NS_PER_S
            assert harness.flags.roll_back_for(trader, "its circuit opened") == rolled_back

    def test_a_disk_that_is_full_is_only_told(self, harness: FlagsHarness) -> None:
        """Recovery goes on without the rollback."""
        harness.ask("ramp", flag="audit", steps=[[50, 60], [100, 0]])
        trader = self._among(harness, False)
        harness.path.unlink()
        harness.path.mkdir()
        assert harness.flags.roll_back_for(trader, "it opened") == ["audit"]
        assert harness.log.events()[-1] == "ramp not rolled back"
        assert harness.summary()["ramp"] is not None

    def test_a_ramp_switches_off_as_well(self, harness: FlagsHarness) -> None:
        """A ramp of a feature flag that is on by default switches it off for the traders beyond the first step."""
        harness.ask("ramp", flag="audit", steps=[[50, 60], [100, 0]])
        assert harness.flags.roll_back_for(self._among(harness, False), "it opened") == ["audit"]

    @pytest.mark.parametrize("whose", ["not yet", "before", "forced", "owner", "done"])
    def test_others_take_nothing_back(self, harness: FlagsHarness, whose: str) -> None:
        """Nothing is rolled back for a trader that was on before the ramp, is not on yet, is forced, or whose ramp is
        done."""
        harness.ask("set", flag="audit", value=5)
        harness.ask("ramp", flag="audit", steps=[[50, 0]] if whose == "done" else [[50, 60], [100, 0]])
        trader = self._among(harness, whose != "not yet")
        if whose == "before":
            trader = next(name for name in (f"t{number}" for number in range(1_000)) if bucket("audit", name) < 5_000)
        elif whose == "forced":
            harness.ask("force", flag="audit", trader=trader, value=True)
        elif whose == "owner":
            harness.views.apply(FakeTrader(trader).heartbeat(owner="desk"), 0)
            harness.ask("force", flag="audit", owner="desk", value=True)
        assert harness.flags.roll_back_for(trader, "it opened") == []


def test_the_setting_counts_more_than_what_is_stored(tmp_path: Path) -> None:
    """Only the kill switch counts more; what is set meanwhile is stored."""
    with FlagsHarness(tmp_path / "f.json", {"audit": False, "batch_mode": True}) as harness:
        harness.ask("force", flag="audit", trader="rsi", value=True)
        assert not harness.on("rsi")
        assert harness.ask("explain", flag="audit", name="rsi")["reason"] == "setting"
        assert harness.summary()["setting"] is False
        harness.ask("kill", flag="batch_mode")
        assert not harness.on("rsi", "batch_mode")
        assert harness.ask("explain", flag="batch_mode", name="rsi")["reason"] == "killed"
    with FlagsHarness(tmp_path / "f.json") as without:
        assert without.on("rsi")


def test_a_setting_of_an_unknown_flag_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the setting's origin and the known feature flags. A feature flag that was made before is known, and
    may then not be removed."""
    monkeypatch.setenv("TICKFLAG_FLAGS__USE_EMA", "true")
    with pytest.raises(
        TickflagError,
        match=r"setting `flags.use_ema` \(environment variable TICKFLAG_FLAGS__USE_EMA\): no such feature flag: "
        r"known .*`tickflag flags set use_ema ",
    ):
        FlagsHarness(tmp_path / "f.json", {"use_ema": True})
    with FlagsHarness(tmp_path / "f.json") as without:
        without.ask("set", flag="use_ema", new=True)
    with FlagsHarness(tmp_path / "f.json", {"use_ema": True}) as harness:
        assert "named by the setting" in harness.reply("remove", flag="use_ema").error
    with FlagsHarness(tmp_path / "g.json", {"audit": True}) as harness:
        assert harness.reply("remove", flag="audit").error == ""


def test_an_edited_file_is_published(harness: FlagsHarness) -> None:
    """An edit is published at the next heartbeat; a damaged file is reported once, and changes nothing."""
    harness.path.write_text(json.dumps({"flags": {"audit": {"default": False}}}))
    harness.flags.refresh()
    assert not harness.on("rsi")
    harness.path.write_text("{")
    harness.flags.refresh()
    harness.flags.refresh()
    assert not harness.on("rsi")
    assert [fields["trouble"] for level, _, fields in harness.log.lines if level == "warning"] == [
        harness.store.trouble
    ]
    assert harness.ask("list")["trouble"] == harness.store.trouble != ""
    harness.ask("set", flag="audit", value=True)
    assert harness.ask("list")["trouble"] == ""


def test_changes_are_logged(harness: FlagsHarness) -> None:
    """The line says who made the change; a change to the same value is not logged."""
    harness.ask("kill", flag="audit", who="ann")
    harness.ask("kill", flag="audit", who="ann")
    assert harness.log.lines == [("info", "feature flag changed", {"flag": "audit", "who": "ann", "revision": 1})]
