"""A trader's feature flags: compiled when they change, and what they switch."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.markets.markets import swap, tick_batch
from tickflag import Market as View
from tickflag import Trader
from tickflag.common.errors import MessageError
from tickflag.common.flags import BUILT_IN
from tickflag.common.runtime import Runtime
from tickflag.common.settings import Settings
from tickflag.common.settings_schema.trader import TraderBlock
from tickflag.common.traderapi.flags import FlagValue
from tickflag.common.wire.codec import decode
from tickflag.common.wire.messages import Control, Delta, Heartbeat, Snapshot
from tickflag.services.feed.market.market import MarketWriter
from tickflag.services.trader.evaluation.plugin.plugin import Plugin
from tickflag.services.trader.evaluation.switches import Switches
from tickflag.services.trader.worker.launch_spec import LaunchSpec
from tickflag.services.trader.worker.session import RETRY_ROWS_NS, TraderSession

ALL = range(60)
OFF = {"default": False}
BLOCK = TraderBlock.model_validate({})


class TestSwitches:
    def test_defaults_hold_until_something_is_said(self) -> None:
        """The defaults are those of the catalog and of the trader; the setting `flags` counts more."""
        switches = Switches(Trader(name="x", flags={"use_ema": True}), BLOCK, {"audit": False})
        assert (switches.tracking, switches.deltas, switches.batches, switches.audits) == (True, True, True, False)
        assert switches.compress_from == BLOCK.compress_from_bytes > 0
        assert switches.own == {"use_ema": FlagValue(True)}

    @pytest.mark.parametrize(
        ("flag", "switch"),
        [
            ("per_symbol_tracking", "tracking"),
            ("delta_results", "deltas"),
            ("batch_mode", "batches"),
            ("result_compression", "compress_from"),
            ("audit", "audits"),
        ],
    )
    def test_each_flag_has_its_switch(self, flag: str, switch: str) -> None:
        """A feature flag moves no other switch. Only the feed's own feature flag, `symbol_rate_limit`, is not among
        these."""
        switches = Switches(Trader(name="x"), BLOCK, {})
        before = _shown(switches)
        switches.follow({flag: OFF})
        assert {name for name, value in _shown(switches).items() if value != before[name]} == {switch}
        assert not getattr(switches, switch)
        switches.follow({})
        assert _shown(switches) == before
        assert flag in BUILT_IN.keys() - {"symbol_rate_limit"}

    def test_what_the_settings_have_off_no_flag_switches_on(self) -> None:
        """Tracking, deltas and compression stay off."""
        settings = TraderBlock.model_validate({"tracking": False, "deltas": False, "compress_from_bytes": 0})
        on = {name: {"default": True} for name in BUILT_IN}
        switches = Switches(Trader(name="x"), settings, {})
        switches.follow(on)
        assert (switches.tracking, switches.deltas, switches.compress_from) == (False, False, 0)

    def test_when_everything_is_evaluated_anew(self) -> None:
        """Everything is evaluated anew where tracking went off, by feature flag or for lack of trust, or where a
        feature flag of the trader's own changed."""
        switches = Switches(Trader(name="x", flags={"use_ema": False}), BLOCK, {})
        assert not switches.trust(True)
        assert not switches.follow({"audit": OFF})
        assert switches.follow({"per_symbol_tracking": OFF})
        assert not switches.trust(False)  # tracking is off already
        assert not switches.follow({})
        assert not _shown(switches)["tracking"]
        assert not switches.trust(True)
        assert _shown(switches)["tracking"]
        assert switches.trust(False)
        assert switches.follow({"use_ema": {"default": True}})

    def test_only_a_change_for_this_trader_is_one(self) -> None:
        switches = Switches(Trader(name="x", owner="desk", flags={"use_ema": False}), BLOCK, {})
        assert not switches.follow({})
        assert not switches.follow({"audit": {"default": True, "force": {"y": False}}})
        assert _shown(switches)["audits"]
        switches.follow({"audit": {"default": True, "owners": {"desk": False}}})
        assert not _shown(switches)["audits"]
        arms = [{"name": "a", "share": 100.0, "value": True}]
        assert switches.follow({"use_ema": {"default": False, "percentage": 100.0, "arms": arms}})
        assert switches.own == {"use_ema": FlagValue(True, "a")}
        assert _shown(switches)["audits"]

    def test_what_cannot_be_understood_is_told_once(self) -> None:
        """The rules from before stay in force."""
        switches = Switches(Trader(name="x"), BLOCK, {"audit": False})
        bad = {"audit": {"default": "?"}}
        with pytest.raises(MessageError, match="'audit'"):
            switches.follow(bad)
        assert not switches.follow(bad)
        assert not switches.audits


def _shown(switches: Switches) -> dict[str, Any]:
    return {name: getattr(switches, name) for name in ("tracking", "deltas", "batches", "compress_from", "audits")}


class SwitchedSession:
    """A session and the messages that it sent."""

    def __init__(self, runtime: Runtime, market: MarketWriter, single: bool = False, **declared: Any) -> None:
        self.market = market
        self._has_strict = "strict" in declared.get("flags", {})
        self.frames: list[bytes] = []
        self.asked: list[int] = []
        self.meanwhile: dict[str, Any] | None = None
        """Feature flags that arrive after the first chunk of a cycle."""
        settings = Settings(
            runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
            instance=runtime.folder.name,
            trader={"compress_from_bytes": 300},  # type: ignore[arg-type] # as above
            audit={"share": 0.0},  # type: ignore[arg-type] # as above
        )
        trader = Trader(name="test", **declared)
        plugin = Plugin(trader, None, self._one) if single else Plugin(trader, self._all, None)
        spec = LaunchSpec(Path("test.py"), "", {}, runtime.folder / "test.handover")
        self.session = TraderSession(spec, plugin, 1, settings, runtime, self._send)
        self.cycle(*ALL)

    def _all(self, market: View) -> Any:
        self.asked.append(len(market))
        threshold = 25.0 if self._has_strict and market.on("strict") else 10.0
        return market.last > threshold, market.last

    def _one(self, symbol: Any) -> float:
        self.asked.append(1)
        return 0.0 if self._has_strict and symbol.on("strict") else float(symbol.last)

    def cycle(self, *slots: int, price: float = 20.0, now_ns: int = 1) -> list[Any]:
        """Let symbols tick and the trader work; gives the results."""
        self.frames.clear()
        self.asked.clear()
        if slots:
            self.market.apply(tick_batch(slots, [price] * len(slots)), 1)
        swap(self.market)
        self.between = 0
        self.session.housekeep(now_ns)
        while self.session.ready(now_ns):
            self.session.step(now_ns, self._between)
        return [message for message in map(decode, self.frames) if isinstance(message, Snapshot | Delta)]

    def tell(self, features: dict[str, Any], process_all: tuple[str, ...] = ()) -> None:
        control = Control(state_version=1, time_ms=1, features=features, process_all=list(process_all))
        self.session.follow_control(control)

    def _between(self) -> None:
        self.between += 1
        if self.between == 1 and self.meanwhile is not None:
            self.tell(self.meanwhile)

    def _send(self, frame: bytes) -> bool:
        self.frames.append(frame)
        return True


@pytest.fixture
def harness(runtime: Runtime, market: MarketWriter) -> SwitchedSession:
    return SwitchedSession(runtime, market)


def test_without_tracking_every_symbol_is_evaluated(harness: SwitchedSession) -> None:
    """So it is in each cycle; with tracking on again, only flagged symbols are evaluated."""
    harness.cycle(1)
    assert harness.asked == [1]
    harness.tell({"per_symbol_tracking": OFF})
    harness.cycle(1)
    assert harness.asked == [60]
    harness.tell({})
    harness.cycle(1)
    assert harness.asked == [1]


def test_a_trader_whose_tracking_is_not_trusted(harness: SwitchedSession) -> None:
    """Recovery names the traders that are not trusted; all their symbols are processed."""
    harness.tell({}, ("other",))
    harness.cycle(1)
    harness.tell({}, ("test",))
    harness.cycle()  # at once, though nothing has changed
    assert harness.asked == [60]
    harness.cycle(1)
    assert harness.asked == [60]
    harness.tell({}, ("other",))
    harness.cycle(1)
    assert harness.asked == [1]


def test_without_deltas_whole_sets_are_sent(harness: SwitchedSession) -> None:
    """Each change sends the whole match set."""
    assert [message.kind for message in harness.cycle(1, price=30.0)] == ["delta"]
    harness.tell({"delta_results": OFF})
    [snapshot] = harness.cycle(1, price=31.0)
    assert isinstance(snapshot, Snapshot)
    assert len(snapshot.matches) == 60


def test_without_compression_large_results_are_sent_as_they_are(harness: SwitchedSession) -> None:
    """The frame does not begin with Zstd's magic number."""
    harness.tell({"delta_results": OFF})
    harness.cycle(1, price=30.0)
    assert sum(frame.startswith(b"\x28\xb5\x2f\xfd") for frame in harness.frames) == 1
    harness.tell({"delta_results": OFF, "result_compression": OFF})
    harness.cycle(1, price=31.0)
    assert sum(frame.startswith(b"\x28\xb5\x2f\xfd") for frame in harness.frames) == 0


def test_without_batch_mode_no_cycle_is_interrupted(runtime: Runtime, market: MarketWriter) -> None:
    """No cycle counts as batched either."""
    harness = SwitchedSession(runtime, market, single=True)
    assert (len(harness.cycle(*ALL, price=30.0)), harness.between) == (1, 2)
    harness.tell({"batch_mode": OFF})
    batched = harness.session._tally.batched
    assert (len(harness.cycle(*ALL, price=31.0)), harness.between, len(harness.asked)) == (1, 0, 60)
    assert harness.session._tally.batched == batched


def test_its_own_flag_has_everything_evaluated_anew(runtime: Runtime, market: MarketWriter) -> None:
    """Everything is evaluated at once, without any change of the market; other feature flags do not do that."""
    harness = SwitchedSession(runtime, market, flags={"strict": False})
    harness.tell({"audit": OFF})
    assert harness.cycle() == []
    assert harness.asked == []
    harness.tell({"audit": OFF, "strict": {"default": True}})
    [delta] = harness.cycle()
    assert (harness.asked, len(delta.left)) == ([60], 60)
    harness.session.beat("running", 1)
    beat = decode(harness.frames[-1])
    assert isinstance(beat, Heartbeat)
    assert beat.flags == {"strict": False}


def test_its_own_flag_that_changes_within_a_cycle(runtime: Runtime, market: MarketWriter) -> None:
    """The chunks before the change went by another rule, so everything is evaluated once more, at once."""
    harness = SwitchedSession(runtime, market, single=True, flags={"strict": False})
    harness.meanwhile = {"strict": {"default": True}}
    [first] = harness.cycle(*ALL, price=30.0)
    assert set(first.scores.values()) == {30.0, 0.0}
    [second] = harness.cycle(now_ns=1 + RETRY_ROWS_NS)
    assert len(harness.asked) == 60
    assert {**first.scores, **second.scores} == {f"S{slot}": 0.0 for slot in ALL}


def test_another_generation_keeps_what_is_switched(runtime: Runtime, market: MarketWriter) -> None:
    """A feature flag that was set before there was a segment counts as well."""
    harness = SwitchedSession(runtime, market)
    harness.tell({"per_symbol_tracking": OFF})
    harness.session._runner = None
    harness.cycle(1)
    harness.cycle(1)
    assert harness.asked == [60]


def test_bad_rules_are_in_the_log_and_change_nothing(
    harness: SwitchedSession, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log tells of them once."""
    harness.tell({"per_symbol_tracking": OFF})
    capsys.readouterr()
    for _ in range(3):
        harness.tell({"per_symbol_tracking": {"default": 3}})
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "trader 'test': feature flags not taken: feature flag 'per_symbol_tracking'" in told[0]
    harness.cycle(1)
    assert harness.asked == [60]
