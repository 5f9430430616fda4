"""What operators get for their requests, right ones and others."""

from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.clock import ReplayClock
from common.codec import decode_as, encode
from common.errors import MessageError
from common.messages import Control, Reply, Request, Roster
from services.collector import journal as journal_module
from services.collector.commands import Commands
from services.collector.control import ControlState
from services.collector.journal import Journal
from services.collector.views import Views
from tests.support.fake_trader import FakeTrader, roster

COMMANDS = ["status", "traders", "matches", "snapshot", "signals", "control", "resync"]


class Office:
    """Commands over everything they look at, in memory."""

    def __init__(self, keep: int = 1_000) -> None:
        self.clock = ReplayClock(10_000_000_000)
        self.control = ControlState()
        self.views = Views(self.control, 5_000_000_000)
        self.journal = Journal(":memory:", keep)
        self.commands = Commands(self.views, self.journal, self.control, self.clock, lambda: {"pid": 1}, {})

    def take(self, *messages: Any) -> None:
        for message in messages:
            drafts = self.views.apply(message, self.clock.now_ns)
            self.journal.commit(drafts, self.views.take_moved(), self.control.version)

    def reply(self, what: str, **arguments: Any) -> Reply:
        """Through the codec, as on the wire."""
        request = decode_as(Request, encode(Request(id=5, what=what, arguments=arguments)))
        reply = decode_as(Reply, encode(self.commands.answer(request)))
        assert reply.id == 5
        return reply

    def ask(self, what: str, **arguments: Any) -> Any:
        reply = self.reply(what, **arguments)
        assert reply.error == ""
        return reply.result


@pytest.fixture
def office() -> Any:
    office = Office()
    yield office
    office.journal.close()


@pytest.fixture
def trader(office: Office) -> FakeTrader:
    trader = FakeTrader(score_step=1.0)
    trader.matches = {"A": 1.0, "B": 2.0}
    office.take(roster("breakout", "quiet"), trader.snapshot(stale=["B"]))
    office.take(trader.change_to({"A": 1.5, "B": 2.0, "C": 3.0}, {"C": "new"}))
    return trader


def test_matches_are_the_newest(office: Office, trader: FakeTrader) -> None:
    """Newest scores, also those too small for a signal."""
    assert office.ask("matches", trader="breakout") == {
        "trader": "breakout",
        "synced": True,
        "stale": False,
        "seq": 2,
        "cycle": 2,
        "matches": {"A": 1.5, "B": 2.0, "C": 3.0},
        "notes": {"C": "new"},
        "stale_symbols": ["B"],
    }


def test_snapshot_is_what_the_signals_add_up_to(office: Office, trader: FakeTrader) -> None:
    """With the signals after `last_seq` a consumer stays right for ever."""
    snapshot = office.ask("snapshot")
    assert snapshot == {"last_seq": 3, "matches": {"breakout": {"A": 1.0, "B": 2.0, "C": 3.0}}}
    assert snapshot["matches"] == {saved.position.trader: saved.matches for saved in office.journal.load().traders}


def test_signals_page_by_page(office: Office, trader: FakeTrader) -> None:
    """Signals with a number above `since`, at most `limit`."""
    page = office.ask("signals", since=1, limit=1)
    assert page["signals"] == [
        {
            "seq": 2, "trader": "breakout", "symbol": "B", "event": "entered", "score": 2.0, "time_ms": 100, "cycle": 1,
            "note": "",
        }
    ]  # fmt: skip
    assert (page["first_seq"], page["last_seq"]) == (1, 3)
    assert office.ask("signals", since=2)["signals"][0]["note"] == "new"
    assert [signal["seq"] for signal in office.ask("signals")["signals"]] == [1, 2, 3]
    assert office.ask("signals", since=3)["signals"] == []


def test_pruned_signals_are_an_error_and_not_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer tells where the journal begins."""
    monkeypatch.setattr(journal_module, "PRUNE_STEP", 1)
    office = Office(keep=2)
    trader = FakeTrader()
    office.take(trader.snapshot(), *[trader.change(**{f"S{n}": 1.0}) for n in range(6)])
    error = office.reply("signals", since=3).error
    assert office.journal.first_seq == 5
    assert "'since'" in error
    assert "the first is 5" in error
    assert [signal["seq"] for signal in office.ask("signals", since=4)["signals"]] == [5, 6]
    office.journal.close()


def test_signals_of_the_future_are_an_error(office: Office, trader: FakeTrader) -> None:
    """A consumer of a journal that was moved away must learn of it."""
    assert "the last signal is 3" in office.reply("signals", since=4).error


def test_status_holds_collector_and_traders(office: Office, trader: FakeTrader) -> None:
    """One request is enough for a first look."""
    status = office.ask("status")
    assert status["collector"]["pid"] == 1
    assert (status["collector"]["first_seq"], status["collector"]["last_seq"]) == (1, 3)
    assert status["collector"]["state_version"] == office.control.version
    assert status["collector"]["journal_bytes"] > 0
    assert status["traders"] == office.ask("traders")


def test_traders_merge_worker_and_supervisor(office: Office, trader: FakeTrader) -> None:
    """Sorted by name; a trader that has not reported yet is there as well."""
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
    office.take(beat)
    office.clock.now_ns += 1_500_000_000
    first, second = office.ask("traders")
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


def test_state_of_a_trader(office: Office, trader: FakeTrader) -> None:
    """The supervisor's word, then silence, then the worker's own."""

    def state() -> str:
        return str(office.ask("traders")[0]["state"])

    assert state() == "running"
    office.take(trader.heartbeat("waiting"))
    assert state() == "waiting"
    office.clock.now_ns += 6_000_000_000
    office.views.expire(office.clock.now_ns)
    assert state() == "stale"
    office.take(trader.heartbeat("stopped"))
    assert state() == "stopped"
    office.take(roster(breakout="restarting"))
    assert state() == "restarting"
    office.take(roster("breakout"), trader.restart())
    assert state() == "running"


def test_skipped_trader_shows_its_reason(office: Office) -> None:
    """A plugin that could not be loaded is not just missing."""
    entry = {"name": "broken", "state": "skipped", "reason": "no hook", "source": "plugins/broken.py", "restarts": 2}
    office.take(Roster.model_validate({"pid": 1, "time_ms": 1, "traders": []}))
    message = roster(broken="skipped")
    office.take(message.model_copy(update={"traders": [message.traders[0].model_copy(update=entry)]}))
    (row,) = office.ask("traders")
    assert row | entry == row


def test_control_document(office: Office, trader: FakeTrader) -> None:
    """As it is published."""
    document = Control.model_validate(office.ask("control"))
    assert document == office.control.document(10_000)


def test_resync_puts_a_token_into_the_control_document(office: Office, trader: FakeTrader) -> None:
    """The reply names the token that the snapshot will carry."""
    answer = office.ask("resync", trader="breakout")
    assert office.ask("control")["resync"] == {"breakout": answer["token"]}
    assert not office.ask("matches", trader="breakout")["synced"]


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
    office: Office, trader: FakeTrader, what: str, arguments: dict[str, Any], words: list[str]
) -> None:
    """The error names the argument at fault."""
    error = office.reply(what, **arguments).error
    assert all(word in error for word in words), error


def test_no_trader_is_known_yet(office: Office) -> None:
    """The name may be right: the engine is still starting."""
    assert (
        "no trader 'rsi': none is known yet: the engine is still starting"
        in office.reply("matches", trader="rsi").error
    )


def test_error_with_many_traders_fits_a_reply(office: Office) -> None:
    """The list of known names is cut where it is too long."""
    office.take(roster(*[f"trader-with-a-rather-long-name-{n}" for n in range(500)]))
    assert "known are trader-with" in office.reply("matches", trader="x" * 100_000).error


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
    office = Office()
    trader = FakeTrader()
    trader.matches = {"A": 1.0}
    office.take(trader.snapshot())
    reply = office.commands.answer(Request(id=1, what=what, arguments=arguments))
    assert decode_as(Reply, encode(reply)).id == 1
    office.journal.close()


@settings(deadline=None)
@given(st.binary(max_size=200) | plain.map(msgpack.packb))
def test_garbage_is_a_message_error(frame: bytes) -> None:
    """What the service counts and drops; nothing else comes out of decoding."""
    with pytest.raises(MessageError):
        decode_as(Request, frame)
