"""A trader's feature flags: compiled where they change, and what they switch."""

from pathlib import Path
from typing import Any

import pytest

from common.codec import decode
from common.errors import MessageError
from common.flags import BUILT_IN
from common.messages import Control, Delta, Heartbeat, Snapshot
from common.runtime import Runtime
from common.settings import Settings
from common.traderapi import Market as View
from common.traderapi import Trader
from common.traderapi.flags import FlagValue
from services.feed.market import Market
from services.trader.order import Order
from services.trader.plugin import Plugin
from services.trader.post import Post
from services.trader.switches import Switches
from tests.support.markets import swap, tick_batch

ALL = range(60)


class TestSwitches:
    def test_defaults_hold_until_something_is_said(self) -> None:
        """Those of the catalog and the trader's own; the setting `flags` before them."""
        switches = Switches(Trader(name="x", flags={"use_ema": True}), {"audit": False})
        assert {name: switches.on(name) for name in BUILT_IN if name != "symbol_rate_limit"} == {
            "per_symbol_tracking": True, "delta_results": True, "batch_mode": True, "result_compression": True,
            "audit": False,
        }  # fmt: skip
        assert switches.own() == {"use_ema": FlagValue(True)}

    def test_only_a_change_for_this_trader_is_one(self) -> None:
        switches = Switches(Trader(name="x", owner="desk", flags={"use_ema": False}), {})
        assert not switches.follow({})
        assert not switches.follow({"audit": {"default": True, "force": {"y": False}}})
        assert switches.follow({"audit": {"default": True, "owners": {"desk": False}}})
        assert not switches.on("audit")
        arms = [{"name": "a", "share": 100.0, "value": True}]
        assert switches.follow({"use_ema": {"default": False, "percentage": 100.0, "arms": arms}})
        assert (switches.own(), switches.on("audit")) == ({"use_ema": FlagValue(True, "a")}, True)

    def test_what_cannot_be_understood_is_told_once(self) -> None:
        """The rules before count on."""
        switches = Switches(Trader(name="x"), {"audit": False})
        bad = {"audit": {"default": "?"}}
        with pytest.raises(MessageError, match="'audit'"):
            switches.follow(bad)
        assert not switches.follow(bad)
        assert not switches.on("audit")


class Desk:
    """A post and its messages."""

    def __init__(self, runtime: Runtime, market: Market, single: bool = False, **declared: Any) -> None:
        self.market = market
        self.frames: list[bytes] = []
        self.asked: list[int] = []
        settings = Settings(
            runtime={"root": runtime.folder.parent},  # type: ignore[arg-type] # as the environment gives it
            instance=runtime.folder.name,
            trader={"compress_from_bytes": 300},  # type: ignore[arg-type] # as above
            audit={"share": 0.0},  # type: ignore[arg-type] # as above
        )
        trader = Trader(name="test", **declared)
        plugin = Plugin(trader, None, self._one) if single else Plugin(trader, self._all, None)
        order = Order(Path("test.py"), "", {}, runtime.folder / "test.handover")
        self.post = Post(order, plugin, 1, settings, runtime, self._send)
        self.cycle(*ALL)

    def _all(self, market: View) -> Any:
        self.asked.append(len(market))
        threshold = 10.0 if not market._flags or not market.on("strict") else 25.0
        return market.last > threshold, market.last

    def _one(self, symbol: Any) -> float:
        self.asked.append(1)
        return float(symbol.last)

    def cycle(self, *slots: int, price: float = 20.0) -> list[Any]:
        """Symbols tick, the trader works; gives the results."""
        self.frames.clear()
        self.asked.clear()
        if slots:
            self.market.apply(tick_batch(slots, [price] * len(slots)), 1)
        swap(self.market)
        self.between = 0
        self.post.look(1)
        while self.post.ready(1):
            self.post.step(1, self._between)
        return [message for message in map(decode, self.frames) if isinstance(message, Snapshot | Delta)]

    def tell(self, features: dict[str, Any], process_all: tuple[str, ...] = ()) -> None:
        self.post.hear(Control(state_version=1, time_ms=1, features=features, process_all=list(process_all)))

    def _between(self) -> None:
        self.between += 1

    def _send(self, frame: bytes) -> bool:
        self.frames.append(frame)
        return True


OFF = {"default": False}


@pytest.fixture
def desk(runtime: Runtime, market: Market) -> Desk:
    return Desk(runtime, market)


def test_without_tracking_every_symbol_is_evaluated(desk: Desk) -> None:
    """In each cycle; switched on again, the flagged ones."""
    desk.cycle(1)
    assert desk.asked == [1]
    desk.tell({"per_symbol_tracking": OFF})
    desk.cycle(1)
    assert desk.asked == [60]
    desk.tell({})
    desk.cycle(1)
    assert desk.asked == [1]


def test_a_trader_whose_tracking_is_not_trusted(desk: Desk) -> None:
    """As recovery has it, by name."""
    desk.tell({}, ("other",))
    desk.cycle(1)
    desk.tell({}, ("test",))
    desk.cycle()  # at once, though nothing changed
    assert desk.asked == [60]
    desk.cycle(1)
    assert desk.asked == [60]
    desk.tell({}, ("other",))
    desk.cycle(1)
    assert desk.asked == [1]


def test_without_deltas_whole_sets_are_sent(desk: Desk) -> None:
    """Where something changed."""
    assert [message.kind for message in desk.cycle(1, price=30.0)] == ["delta"]
    desk.tell({"delta_results": OFF})
    [snapshot] = desk.cycle(1, price=31.0)
    assert isinstance(snapshot, Snapshot)
    assert len(snapshot.matches) == 60


def test_without_compression_large_results_are_sent_as_they_are(desk: Desk) -> None:
    """Zstd's magic number is not there."""
    desk.tell({"delta_results": OFF})
    desk.cycle(1, price=30.0)
    assert sum(frame.startswith(b"\x28\xb5\x2f\xfd") for frame in desk.frames) == 1
    desk.tell({"delta_results": OFF, "result_compression": OFF})
    desk.cycle(1, price=31.0)
    assert sum(frame.startswith(b"\x28\xb5\x2f\xfd") for frame in desk.frames) == 0


def test_without_batch_mode_no_cycle_is_interrupted(runtime: Runtime, market: Market) -> None:
    """And none counts as batched."""
    desk = Desk(runtime, market, single=True)
    assert (len(desk.cycle(*ALL, price=30.0)), desk.between) == (1, 2)
    desk.tell({"batch_mode": OFF})
    batched = desk.post._tally.batched
    assert (len(desk.cycle(*ALL, price=31.0)), desk.between, len(desk.asked)) == (1, 0, 60)
    assert desk.post._tally.batched == batched


def test_its_own_flag_has_everything_evaluated_anew(runtime: Runtime, market: Market) -> None:
    """At once, without any change of the market; other flags' changes do not."""
    desk = Desk(runtime, market, flags={"strict": False})
    desk.tell({"audit": OFF})
    assert desk.cycle() == []
    assert desk.asked == []
    desk.tell({"audit": OFF, "strict": {"default": True}})
    [delta] = desk.cycle()
    assert (desk.asked, len(delta.left)) == ([60], 60)
    desk.post.beat("running", 1)
    beat = decode(desk.frames[-1])
    assert isinstance(beat, Heartbeat)
    assert beat.flags == {"strict": False}


def test_another_generation_keeps_what_is_switched(runtime: Runtime, market: Market) -> None:
    """A flag that came before there was a segment counts as well."""
    desk = Desk(runtime, market)
    desk.tell({"per_symbol_tracking": OFF})
    desk.post._runner = None
    desk.cycle(1)
    desk.cycle(1)
    assert desk.asked == [60]


def test_bad_rules_are_in_the_log_and_change_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Once."""
    desk.tell({"per_symbol_tracking": OFF})
    capsys.readouterr()
    for _ in range(3):
        desk.tell({"per_symbol_tracking": {"default": 3}})
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "trader 'test': feature flags not taken: feature flag 'per_symbol_tracking'" in told[0]
    desk.cycle(1)
    assert desk.asked == [60]
