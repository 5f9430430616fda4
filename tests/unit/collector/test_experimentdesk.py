"""Commands on experiments, and what outlives the process."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from common.clock import ReplayClock
from common.codec import decode_as, encode
from common.flags import Rule
from common.log import Logger
from common.messages import Audit, Reply, Request
from services.collector.commands import Commands
from services.collector.control import ControlState
from services.collector.experimentdesk import SAVE_EVERY_NS, ExperimentDesk
from services.collector.journal import Journal
from services.collector.records import Records
from services.collector.views import Views
from tests.support.fake_trader import FakeTrader
from tests.support.recorded_log import RecordedLog

HALF = {"use_ema": Rule(default=False, percentage=50)}
AUDIT = Audit(trader="rsi", incarnation=1, cycle=1, time_ms=1, symbols=5, part_ns=10, full_ns=100)


class Office:
    """A desk over a journal in a file, asked through the codec; `restart` gives it a new life."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = ReplayClock(1_000_000_000_000)
        self.log = RecordedLog()
        self.journal = Journal(path)
        self.restart()

    def restart(self) -> None:
        """As after a kill: nothing is saved before."""
        self.journal.close()
        self.journal = Journal(self.path)
        self.desk = ExperimentDesk(Records(self.journal), self.clock, cast(Logger, self.log))
        control = ControlState()
        self.commands = Commands(
            Views(control, 1), self.journal, control, self.clock, dict, self.desk.commands, saving=self.desk.saving
        )

    def reply(self, what: str, **arguments: Any) -> Reply:
        request = decode_as(Request, encode(Request(id=5, what=what, arguments=arguments)))
        return decode_as(Reply, encode(self.commands.answer(request)))

    def ask(self, what: str, **arguments: Any) -> Any:
        reply = self.reply(what, **arguments)
        assert reply.error == ""
        return reply.result

    def audits(self) -> int:
        overall = self.ask("experiments")["tracking"]["overall"]
        return 0 if overall is None else int(overall["audits"])

    def run_experiment(self) -> None:
        """On the flag `use_ema`; the trader `vwap` works for a cycle of 500 ns, with one result."""
        self.desk.follow(HALF)
        trader = FakeTrader("vwap")
        for cycles in (1, 2):
            self.clock.now_ns += 2_000_000_000
            self.desk.take(trader.heartbeat().model_copy(update={"cycles": cycles, "cpu_ns": cycles * 500}))
        self.clock.now_ns += 1_000
        self.desk.take(trader.change(A=1.0).model_copy(update={"oldest_ns": self.clock.now_ns - 700}))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "journal.sqlite")
    yield office
    office.journal.close()


def test_report_has_every_experiment(office: Office) -> None:
    """Of all flags, or of one; the standing one is on the flag of tracking."""
    office.run_experiment()
    office.desk.take(AUDIT)
    report = office.ask("experiments")
    (one,) = report["experiments"]
    assert (one["flag"], one["running"], one["percentage"]) == ("use_ema", True, 50.0)
    (on,) = (arm for arm in one["arms"] if arm["arm"] == "on")
    assert (on["traders"], on["cycles"]) == (1, 1)
    assert on["means"] == {"cpu_ns": 500.0, "processed": 0.0, "latency_ns": 700.0, "bytes": 0.0, "failures": 0.0}
    assert [row["trader"] for row in report["tracking"]["traders"]] == ["rsi"]
    assert office.ask("experiments", flag="use_ema") == {"experiments": [one], "tracking": None}
    assert office.ask("experiments", flag="per_symbol_tracking") == report | {"experiments": []}


def test_reset(office: Office) -> None:
    """The answer is the report, without sums; the log has who did it."""
    office.run_experiment()
    report = office.ask("experiments.reset", flag="use_ema", who="ann")
    assert [arm["cycles"] for arm in report["experiments"][0]["arms"]] == [0, 0]
    assert office.log.lines[-1] == ("info", "experiment begins anew", {"flag": "use_ema", "who": "ann"})


@pytest.mark.parametrize("what", ["experiments", "experiments.reset"])
def test_mistakes(office: Office, what: str) -> None:
    """A flag without an experiment is answered with those there are."""
    office.desk.follow(HALF)
    error = office.reply(what, flag="audit").error
    assert error.startswith("no experiment on 'audit': there are per_symbol_tracking, use_ema; `tickflag flags set ")
    assert "no argument 'x'" in office.reply(what, flag="use_ema", x=1).error


def test_reset_needs_a_flag(office: Office) -> None:
    """All at once would be a slip of the hand."""
    assert "'flag' of 'experiments.reset' is missing" in office.reply("experiments.reset").error


def test_status_has_what_tracking_saves(office: Office) -> None:
    """With its interval; null before the first audit."""
    assert office.ask("status")["saving"] is None
    office.desk.take(AUDIT)
    office.desk.take(AUDIT)
    saving = office.ask("status")["saving"]
    assert saving == pytest.approx(
        {"saving": 0.9, "low": 0.9, "high": 0.9, "audits": 2, "part_ns": 20.0, "full_ns": 200.0}
    )


def test_what_was_saved_is_there_in_the_next_life(office: Office) -> None:
    """At most so often, and where something changed; the rest is lost with the process."""
    office.desk.take(AUDIT)
    office.desk.save_if_due()
    office.desk.take(AUDIT)
    office.desk.save_if_due()
    office.restart()
    assert office.audits() == 1
    office.desk.take(AUDIT)
    office.desk.save_if_due()
    office.clock.now_ns += SAVE_EVERY_NS
    office.desk.take(AUDIT)
    office.desk.save_if_due()
    office.desk.take(AUDIT)
    office.desk.save()
    office.restart()
    assert office.audits() == 4


def test_nothing_is_written_where_nothing_changed(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is left in peace."""
    office.desk.save()
    monkeypatch.setattr(Records, "write", lambda *_: pytest.fail("it wrote"))
    office.desk.save_if_due()
    office.desk.save()


def test_a_trader_that_is_gone_is_retired(office: Office) -> None:
    """Its sums stay, its name goes."""
    office.desk.take(AUDIT)
    office.desk.retire("rsi")
    tracking = office.ask("experiments")["tracking"]
    assert (tracking["traders"], tracking["overall"]["audits"]) == ([], 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 3}', '{"saving": {"gone": {"n": -1}}}'])
def test_damage_begins_anew(office: Office, content: str) -> None:
    """The log says so, and the next save is whole again."""
    office.desk.take(AUDIT)
    office.desk.save()
    with sqlite3.connect(office.path) as database:
        database.execute("UPDATE documents SET content = ?", (content,))
    database.close()
    office.restart()
    assert office.audits() == 0
    level, event, fields = office.log.lines[-1]
    assert (level, event) == ("warning", "experiments begin anew, as what was saved of them is damaged")
    assert "\n" not in fields["reason"]
    office.desk.save()
    count = len(office.log.lines)
    office.restart()
    assert len(office.log.lines) == count
