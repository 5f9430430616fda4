"""The answers to operators' requests, right and wrong."""

from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.harnesses.fake_trader import FakeTrader, roster
from tests.support.stand_ins.manual_clock import ManualClock
from tickflag.common.errors import MessageError
from tickflag.common.wire.codec import decode_as, encode
from tickflag.common.wire.messages import Control, Reply, Request, Roster
from tickflag.services.collector.commands import CollectorCommands
from tickflag.services.collector.control import ControlState
from tickflag.services.collector.journal import journal as journal_module
from tickflag.services.collector.journal.journal import Journal
from tickflag.services.collector.journal.mark import BLOCK
from tickflag.services.collector.views.views import Views

COMMANDS = ["status", "traders", "matches", "snapshot", "signals", "control", "resync"]


class CommandsHarness:
    """Commands over views, journal and control state, in memory."""

    def __init__(self, keep: int = 1_000, path: Path | str = ":memory:") -> None:
        self.clock = ManualClock(10_000_000_000)
        self.control = ControlState()
        self.views = Views(self.control.resync, 5_000_000_000)
        self.journal = Journal(path, keep)
        self.commands = CollectorCommands(self.views, self.journal, self.control, self.clock, lambda: {"pid": 1}, {})

    def take(self, *messages: Any) -> None:
        for message in messages:
            signals = self.views.apply(message, self.clock.now_ns)
            self.journal.commit(signals, self.views.drain_positions(), self.control.version)

    def reply(self, what: str, **arguments: Any) -> Reply:
        """The reply, through the codec as on the wire."""
        request = decode_as(Request, encode(Request(id=5, what=what, arguments=arguments)))
        reply = decode_as(Reply, encode(self.commands.answer(request)))
        assert reply.id == 5
        return reply

    def ask(self, what: str, **arguments: Any) -> Any:
        reply = self.reply(what, **arguments)
        assert reply.error == ""
        return reply.result


@pytest.fixture
def harness() -> Any:
    harness = CommandsHarness()
    yield harness
    harness.journal.close()


@pytest.fixture
def trader(harness: CommandsHarness) -> FakeTrader:
    trader = FakeTrader(score_step=1.0)
    trader.matches = {"A": 1.0, "B": 2.0}
    harness.take(roster("breakout", "quiet"), trader.snapshot(stale=["B"]))
    harness.take(trader.change_to({"A": 1.5, "B": 2.0, "C": 3.0}, {"C": "new"}))
    return trader


def test_matches_are_the_newest(harness: CommandsHarness, trader: FakeTrader) -> None:
    """The scores are the newest, also where they moved too little for a signal."""
    assert harness.ask("matches", trader="breakout") == {
        "trader": "breakout",
        "synced": True,
        "stale": False,
        "seq": 2,
        "cycle": 2,
        "matches": {"A": 1.5, "B": 2.0, "C": 3.0},
        "notes": {"C": "new"},
        "stale_symbols": ["B"],
    }


def test_snapshot_is_what_the_signals_add_up_to(harness: CommandsHarness, trader: FakeTrader) -> None:
    """A consumer that adds the signals after `last_seq` stays right for ever."""
    snapshot = harness.ask("snapshot")
    place = {"journal_id": harness.journal.journal_id, "last_seq": 3, "last_notice": 0}
    begin = {"first_seq": 1, "after_notice": 0}
    assert snapshot == {**place, **begin, "matches": {"breakout": {"A": 1.0, "B": 2.0, "C": 3.0}}}
    assert snapshot["matches"] == {saved.position.trader: saved.matches for saved in harness.journal.load().traders}


def test_signals_page_by_page(harness: CommandsHarness, trader: FakeTrader) -> None:
    """Signals with a number above `since`, at most `limit`."""
    page = harness.ask("signals", since=1, limit=1)
    assert page["signals"] == [
        {
            "seq": 2, "trader": "breakout", "symbol": "B", "event": "entered", "score": 2.0, "time_ms": 100, "cycle": 1,
            "note": "",
        }
    ]  # fmt: skip
    assert (page["first_seq"], page["last_seq"]) == (1, 3)
    assert harness.ask("signals", since=2)["signals"][0]["note"] == "new"
    assert [signal["seq"] for signal in harness.ask("signals")["signals"]] == [1, 2, 3]
    assert harness.ask("signals", since=3)["signals"] == []


def test_pruned_signals_are_an_error_and_not_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error tells where the journal begins."""
    monkeypatch.setattr(journal_module, "PRUNE_STEP", 1)
    harness = CommandsHarness(keep=2)
    trader = FakeTrader()
    harness.take(trader.snapshot(), *[trader.change(**{f"S{n}": 1.0}) for n in range(6)])
    error = harness.reply("signals", since=3).error
    assert harness.journal.first_seq == 5
    assert "'since'" in error
    assert "the first is 5" in error
    assert [signal["seq"] for signal in harness.ask("signals", since=4)["signals"]] == [5, 6]
    harness.journal.close()
    harness.journal.close()


def test_signals_of_the_future_are_an_error(harness: CommandsHarness, trader: FakeTrader) -> None:
    """A consumer must learn that a journal was moved away."""
    assert "the last signal is 3" in harness.reply("signals", since=4).error


def test_numbers_of_another_journal_are_an_error(tmp_path: Path) -> None:
    """A consumer learns that its place means nothing any more, whether it names the journal id or not. The log and a
    notice tell why."""
    path = tmp_path / "journal.sqlite"
    with Journal(path) as journal:
        former = journal.journal_id
    path.unlink()
    harness = CommandsHarness(path=path)
    journal_id = harness.journal.journal_id
    harness.take(FakeTrader().snapshot())
    assert former in harness.reply("signals", journal_id=former).error
    assert "are those of an earlier journal id" in harness.reply("signals", since=5).error
    assert harness.ask("signals", since=BLOCK, journal_id=journal_id)["journal_id"] == journal_id
    assert harness.ask("status")["collector"]["journal_id"] == journal_id
    snapshot = harness.ask("snapshot")
    assert (snapshot["journal_id"], snapshot["last_seq"], snapshot["last_notice"]) == (journal_id, BLOCK, BLOCK)
    harness.journal.close()


def test_status_holds_collector_and_traders(harness: CommandsHarness, trader: FakeTrader) -> None:
    """One request is enough for an overview."""
    status = harness.ask("status")
    assert status["collector"]["pid"] == 1
    assert (status["collector"]["first_seq"], status["collector"]["last_seq"]) == (1, 3)
    assert status["collector"]["state_version"] == harness.control.version
    assert status["collector"]["journal_bytes"] > 0
    assert status["traders"] == harness.ask("traders")


def test_traders_merge_worker_and_supervisor(harness: CommandsHarness, trader: FakeTrader) -> None:
    """The rows are sorted by name; a trader that has not reported yet has one too."""
    beat = trader.heartbeat(
        "failing",
        failures=3,
        error="boom",
        fast=7,
        processed=10,
        skipped=30,
        bytes_wire=99,
        retried=2,
        batched=1,
        cpu_ns=5,
    )
    harness.take(beat)
    harness.clock.now_ns += 1_500_000_000
    first, second = harness.ask("traders")
    expected = {
        "name": "breakout",
        "state": "failing",
        "pid": 42,
        "synced": True,
        "matches": 3,
        "stale": 1,
        "failures": 3,
        "error": "boom",
        "fast": 7,
        "retried": 2,
        "batched": 1,
        "bytes_wire": 99,
        "cpu_ns": 5,
        "efficiency": 0.75,
        "age_ms": 1_500,
    }
    assert first | expected == first
    assert (second["name"], second["state"], second["age_ms"]) == ("quiet", "waiting", None)
    assert first.keys() == second.keys()


def test_state_of_a_trader(harness: CommandsHarness, trader: FakeTrader) -> None:
    """The supervisor's state counts most, then silence, then the worker's own state."""

    def state() -> str:
        return str(harness.ask("traders")[0]["state"])

    assert state() == "running"
    harness.take(trader.heartbeat("waiting"))
    assert state() == "waiting"
    harness.clock.now_ns += 6_000_000_000
    harness.views.expire(harness.clock.now_ns)
    assert state() == "stale"
    harness.take(trader.heartbeat("stopped"))
    assert state() == "stopped"
    harness.take(roster(breakout="restarting"))
    assert state() == "restarting"
    harness.take(roster("breakout"), trader.restart())
    assert state() == "running"


def test_skipped_trader_shows_its_reason(harness: CommandsHarness) -> None:
    """A plugin that could not be loaded is listed."""
    entry = {"name": "broken", "state": "skipped", "reason": "no hook", "source": "plugins/broken.py", "restarts": 2}
    harness.take(Roster.model_validate({"pid": 1, "time_ms": 1, "traders": []}))
    message = roster(broken="skipped")
    harness.take(message.model_copy(update={"traders": [message.traders[0].model_copy(update=entry)]}))
    (row,) = harness.ask("traders")
    assert row | entry == row


def test_control_document(harness: CommandsHarness, trader: FakeTrader) -> None:
    """The answer is the document as published."""
    document = Control.model_validate(harness.ask("control"))
    assert document == harness.control.document(10_000)


def test_resync_puts_a_token_into_the_control_document(harness: CommandsHarness, trader: FakeTrader) -> None:
    """The reply names the token that the snapshot will carry."""
    answer = harness.ask("resync", trader="breakout")
    assert harness.ask("control")["resync"] == {"breakout": answer["token"]}
    assert not harness.ask("matches", trader="breakout")["synced"]


@pytest.mark.parametrize(
    ("what", "arguments", "words"),
    [
        ("matches", {"trader": "nobody"}, ["'trader'", "'nobody'", "breakout"]),
        ("matches", {"trader": "quiet"}, ["'quiet'", "nothing yet"]),
        ("matches", {}, ["'trader'", "missing"]),
        ("matches", {"trader": 5}, ["'trader'", "int"]),
        ("matches", {"trader": "breakout", "symbol": "A"}, ["'symbol'"]),
        ("resync", {"trader": None}, ["'trader'"]),
        ("signals", {"since": -1}, ["'since'"]),
        ("signals", {"since": "1"}, ["'since'"]),
        ("signals", {"since": True}, ["'since'"]),
        ("signals", {"since": 2**63}, ["'since'"]),
        ("signals", {"limit": 0}, ["'limit'"]),
        ("signals", {"limit": 10_001}, ["'limit'", "10000"]),
        ("status", {"verbose": 1}, ["'verbose'"]),
        ("stop", {}, ["'stop'", "status"]),
    ],
)
def test_wrong_requests_are_answered_by_name(
    harness: CommandsHarness, trader: FakeTrader, what: str, arguments: dict[str, Any], words: list[str]
) -> None:
    """The error names the argument at fault."""
    error = harness.reply(what, **arguments).error
    assert all(word in error for word in words), error


def test_a_disabled_trader_is_told_as_one(harness: CommandsHarness) -> None:
    """The error has the command that enables the trader."""
    harness.take(roster(breakout="disabled"))
    error = harness.reply("matches", trader="breakout").error
    assert error == "trader 'breakout' is disabled: `tickflag trader enable breakout`"


def test_no_trader_is_known_yet(harness: CommandsHarness) -> None:
    """The name may be right: the engine is still starting."""
    assert (
        "no trader 'rsi': none is known yet: the engine is still starting"
        in harness.reply("matches", trader="rsi").error
    )


def test_error_with_many_traders_fits_a_reply(harness: CommandsHarness) -> None:
    """The list of known names is cut where it is too long."""
    harness.take(roster(*[f"trader-with-a-rather-long-name-{n}" for n in range(500)]))
    assert "known are trader-with" in harness.reply("matches", trader="x" * 100_000).error


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
names = st.sampled_from(["trader", "since", "limit", "breakout"]) | st.text(min_size=1, max_size=5)


@settings(deadline=None)
@given(
    what=st.sampled_from(COMMANDS) | st.text(min_size=1, max_size=20),
    arguments=st.dictionaries(names, plain, max_size=3),
)
def test_any_arguments_get_an_answer(what: str, arguments: dict[str, Any]) -> None:
    """No request raises, and every answer can be sent."""
    harness = CommandsHarness()
    trader = FakeTrader()
    trader.matches = {"A": 1.0}
    harness.take(trader.snapshot())
    reply = harness.commands.answer(Request(id=1, what=what, arguments=arguments))
    assert decode_as(Reply, encode(reply)).id == 1
    harness.journal.close()


@settings(deadline=None)
@given(st.binary(max_size=200) | plain.map(msgpack.packb))
def test_garbage_is_a_message_error(frame: bytes) -> None:
    """Decoding garbage raises nothing else; the service counts and drops it."""
    with pytest.raises(MessageError):
        decode_as(Request, frame)
