"""What comes of failures: circuits, control state, notices, the log, and what is kept."""

from typing import Any, cast

import pytest

from common.blocks import RecoveryBlock
from common.clock import ReplayClock
from common.errors import TickflagError
from common.log import Logger
from common.messages import Fault, FaultKind, Heartbeat, Roster, RosterEntry
from services.collector.commands import Arguments
from services.collector.control import ControlState
from services.collector.journal import Journal
from services.collector.records import Records
from services.collector.recoverydesk import RecoveryDesk
from tests.support.recorded_log import RecordedLog

SECOND = 1_000_000_000


class Site:
    """A desk over a journal that outlives it."""

    def __init__(self) -> None:
        self.clock = ReplayClock(1_000 * SECOND)
        self.log = RecordedLog()
        self.records = Records(Journal(":memory:"))
        self.opened: list[tuple[str, str]] = []
        self.cycle = 0
        self.start()

    def start(self) -> None:
        self.control = ControlState()
        limits = RecoveryBlock()  # type: ignore[call-arg] # Field's first argument is the default
        log = cast(Logger, self.log)
        self.desk = RecoveryDesk(
            limits, self.records, self.control, self.clock, log, lambda *told: self.opened.append(told)
        )

    def fail(self, what: FaultKind, count: int = 1, trader: str = "rsi", cycles: int = 0) -> None:
        for _ in range(count):
            self.cycle += 1
            self.desk.fault(
                Fault(
                    trader=trader, incarnation=1, cycle=self.cycle, time_ms=self.cycle, what=what, text=f"it {what}s",
                    stack="where", cycles=cycles,
                )
            )  # fmt: skip

    def beat(self, cycles: int, incarnation: int = 1) -> None:
        self.desk.heartbeat(
            Heartbeat(
                trader="rsi", incarnation=incarnation, seq=0, cycle=0, time_ms=0, cycles=cycles, pid=1, state="running"
            )
        )

    def version(self, version: str) -> None:
        entry = RosterEntry(name="rsi", state="running", trader_version=version)
        self.desk.roster(Roster(pid=1, time_ms=1, traders=[entry]))

    def ask(self, what: str, **arguments: Any) -> Any:
        return self.desk.commands[what](Arguments(what, arguments))

    def write(self) -> list[tuple[str, str, str]]:
        """Journal what is to be; gives what the notices say."""
        told = self.records.write(*self.desk.take_unwritten(errors_too=True))
        return [(notice.what, notice.after, notice.reason) for notice in told]

    def modes(self) -> tuple[list[str], dict[str, int], dict[str, int]]:
        control = self.control.document(0)
        return control.process_all, control.quarantined, control.fresh


@pytest.fixture
def site() -> Site:
    return Site()


def test_tracking_errors_lead_to_processing_all(site: Site) -> None:
    """And when it is over, back to the flags."""
    version = site.control.version
    site.fail("audit", 4)
    assert (site.modes(), site.control.version) == (([], {}, {}), version)
    site.fail("flags")
    assert site.modes() == (["rsi"], {}, {})
    assert site.control.version == version + 1
    assert site.desk.states("rsi") == {"tracking": "open", "plugin": "closed"}
    assert site.write() == [("tracking circuit", "open", "it flagss")]
    site.clock.now_ns += 30 * SECOND
    site.beat(19)
    assert site.modes() == (["rsi"], {}, {})
    site.beat(20)
    assert site.modes() == ([], {}, {})
    assert site.write() == [("tracking circuit", "closed", "enough clean cycles")]
    assert site.log.events() == ["tracking circuit", "tracking circuit"]


def test_plugin_errors_lead_to_a_fresh_start_and_quarantine(site: Site) -> None:
    """Each opening has its number; time alone brings the probe."""
    site.fail("raise", 5)
    assert site.modes() == ([], {}, {"rsi": 1})
    site.fail("exit")
    assert site.modes() == ([], {"rsi": 2}, {"rsi": 1})
    due_ns = site.desk.due_ns
    assert due_ns == site.clock.now_ns + 30 * SECOND
    site.clock.now_ns = due_ns
    site.desk.look()
    assert site.modes() == ([], {}, {"rsi": 2})
    assert [told[1:] for told in site.write()] == [
        ("half-open", "it raises"),
        ("open", "it exits"),
        ("half-open", "the quarantine is over: a probe"),
    ]
    assert site.opened == [("rsi", "plugin circuit of trader 'rsi' opened")]
    assert site.desk.transitions == {("rsi", "plugin", "half-open"): 2, ("rsi", "plugin", "open"): 1}


def test_a_line_has_the_last_fault_for_a_minute(site: Site) -> None:
    """By the time that the fault tells."""
    assert site.desk.standing("rsi") == {"circuits": {"tracking": "closed", "plugin": "closed"}, "fault": ""}
    now_ms = site.clock.wall_ns() // 1_000_000
    site.cycle = now_ms
    site.fail("gap")
    site.fail("raise")
    assert site.desk.standing("rsi")["fault"] == "it raises"
    site.clock.now_ns += 61 * SECOND
    assert site.desk.standing("rsi")["fault"] == ""


class TestCleanCycles:
    def test_those_before_a_failure_do_not_count_after_it(self, site: Site) -> None:
        """A failure tells how many were clean until then; the next heartbeat counts from there."""
        site.fail("gap", 5, cycles=100)
        site.clock.now_ns += 60 * SECOND
        site.beat(119)
        assert site.desk.states("rsi")["tracking"] == "open"
        site.beat(120)
        assert site.desk.states("rsi")["tracking"] == "closed"

    def test_a_new_incarnation_counts_from_nothing(self, site: Site) -> None:
        """And late words of the old one count nothing."""
        site.fail("gap", 5, cycles=100)
        site.clock.now_ns += 60 * SECOND
        site.beat(5, incarnation=2)
        site.beat(130, incarnation=1)
        site.beat(19, incarnation=2)
        assert site.desk.states("rsi")["tracking"] == "open"
        site.beat(20, incarnation=2)
        assert site.desk.states("rsi")["tracking"] == "closed"

    def test_of_a_trader_that_never_failed_nothing_is_kept(self, site: Site) -> None:
        site.beat(50)
        assert site.ask("circuits") == []


def test_another_version_is_trusted(site: Site) -> None:
    """The first one that is heard of is no other one."""
    site.fail("raise", 6)
    site.version("1")
    assert site.modes()[1] == {"rsi": 2}
    site.version("1")
    site.version("2")
    assert site.modes() == ([], {}, {"rsi": 2})
    assert site.write()[-1] == ("plugin circuit", "closed", "another version of its code runs")


def test_a_trader_that_is_gone_leaves_nothing(site: Site) -> None:
    site.fail("raise", 6)
    site.desk.forget("rsi")
    assert site.modes() == ([], {}, {})
    assert site.ask("errors")["errors"] == site.ask("circuits") == []


class TestRestart:
    def test_all_is_as_before(self, site: Site) -> None:
        """Circuits, errors, and what the control state says."""
        site.fail("raise", 6)
        site.fail("gap", 3, trader="macd")
        modes, circuits, errors = site.modes(), site.ask("circuits"), site.ask("errors")
        site.write()
        site.start()
        assert (site.modes(), site.ask("circuits"), site.ask("errors")) == (modes, circuits, errors)
        site.fail("gap", 2, trader="macd")
        assert site.modes()[0] == ["macd"]

    def test_counting_errors_is_written_at_once_and_the_book_now_and_then(self, site: Site) -> None:
        """So that a killed collector loses no circuit; the book may be large."""
        site.fail("raise")
        assert set(site.desk.take_unwritten(errors_too=False)[1]) == {"circuits", "errors"}
        site.fail("raise")
        assert set(site.desk.take_unwritten(errors_too=False)[1]) == {"circuits"}
        assert site.desk.take_unwritten(errors_too=False) == ([], {})
        assert set(site.desk.take_unwritten(errors_too=True)[1]) == {"errors"}
        site.fail("raise")
        site.clock.now_ns += 10 * SECOND
        assert set(site.desk.take_unwritten(errors_too=False)[1]) == {"circuits", "errors"}

    @pytest.mark.parametrize("circuits", [{"rsi": {}}, [1], {"rsi": {"tracking": {"state": "open"}}}])
    def test_what_cannot_be_used_is_told(self, site: Site, circuits: Any) -> None:
        """And all circuits are closed."""
        site.records.write([], {"circuits": circuits})
        site.start()
        assert site.modes() == ([], {}, {})
        assert site.log.events()[-1] == "what was saved of the circuits cannot be used"


class TestCommands:
    def test_circuits(self, site: Site) -> None:
        site.fail("raise", 2)
        site.clock.now_ns += 3 * SECOND
        tracking, plugin = site.ask("circuits", trader="rsi")
        assert (plugin["circuit"], plugin["state"], plugin["errors"], plugin["of"]) == ("plugin", "closed", 2, 5)
        assert (tracking["errors"], tracking["for_s"], tracking["due_in_s"]) == (0, 3.0, None)
        assert site.ask("circuits", trader="macd") == []

    def test_errors(self, site: Site) -> None:
        site.fail("raise", 2)
        site.fail("gap", trader="macd")
        found = site.ask("errors")
        assert [(one["trader"], one["kind"], one["count"]) for one in found["errors"]] == [
            ("macd", "gap", 1),
            ("rsi", "raise", 2),
        ]
        [one] = site.ask("errors", trader="rsi")["errors"]
        assert (one["text"], one["first_ms"], one["last_ms"], one["stack"]) == ("it raises", 1, 2, "where")

    def test_release(self, site: Site) -> None:
        """By name of who did it; nothing is held against the trader."""
        site.fail("raise", 6)
        assert site.ask("release", trader="rsi", who="ann")["circuits"] == {"tracking": "closed", "plugin": "closed"}
        assert site.modes() == ([], {}, {"rsi": 2})
        assert site.write()[-1] == ("plugin circuit", "closed", "released by ann")
        with pytest.raises(TickflagError, match="'macd' has no circuit that ever opened or counted a failure"):
            site.ask("release", trader="macd")

    def test_notices(self, site: Site) -> None:
        """Those that others want told as well."""
        site.desk.note("feature flag", "off", "on", "ann", "rsi")
        site.fail("raise", 6)
        site.write()
        page = site.ask("notices", since=1, limit=1)
        assert (page["first_seq"], page["last_seq"]) == (1, 3)
        assert [(one["seq"], one["before"], one["after"]) for one in page["notices"]] == [(2, "closed", "half-open")]
        assert [one["what"] for one in site.ask("notices")["notices"]] == [
            "feature flag",
            "plugin circuit",
            "plugin circuit",
        ]
