"""The effects of failures: circuits, control state, notices, the log, and what is kept."""

from typing import Any

import pytest

from tests.support.harnesses.recovery_harness import RecoveryHarness
from tickflag.common.units import NS_PER_S


def test_tracking_errors_lead_to_processing_all(harness: RecoveryHarness) -> None:
    """When the circuit closes, the flags are used again."""
    version = harness.control.version
    harness.fail("audit", 4)
    assert (harness.modes(), harness.control.version) == (([], {}, {}), version)
    harness.fail("flags")
    assert harness.modes() == (["rsi"], {}, {})
    assert harness.control.version == version + 1
    assert harness.recovery.states("rsi") == {"tracking": "open", "plugin": "closed"}
    assert harness.write() == [("tracking circuit", "open", "it flagss")]
    harness.clock.now_ns += 30 * NS_PER_S
    harness.beat(19)
    assert harness.modes() == (["rsi"], {}, {})
    harness.beat(20)
    assert harness.modes() == ([], {}, {})
    assert harness.write() == [("tracking circuit", "closed", "enough clean cycles")]
    assert harness.log.events() == ["tracking circuit", "tracking circuit"]


def test_plugin_errors_lead_to_a_fresh_start_and_quarantine(harness: RecoveryHarness) -> None:
    """Each opening has its number; time alone starts the probe."""
    harness.fail("raise", 5)
    assert harness.modes() == ([], {}, {"rsi": 1})
    harness.fail("exit")
    assert harness.modes() == ([], {"rsi": 2}, {"rsi": 1})
    due_ns = harness.recovery.due_ns
    assert due_ns == harness.clock.now_ns + 30 * NS_PER_S
    harness.clock.now_ns = due_ns
    harness.recovery.update_control()
    assert harness.modes() == ([], {}, {"rsi": 2})
    assert [told[1:] for told in harness.write()] == [
        ("half-open", "it raises"),
        ("open", "it exits"),
        ("half-open", "the quarantine is over: a probe"),
    ]
    assert harness.opened == [("rsi", "plugin circuit of trader 'rsi' opened")]
    assert harness.recovery.transitions == {("rsi", "plugin", "half-open"): 2, ("rsi", "plugin", "open"): 1}


def test_a_line_has_the_last_fault_for_a_minute(harness: RecoveryHarness) -> None:
    """The minute counts from the fault's own time."""
    assert harness.recovery.trader_status("rsi") == {
        "circuits": {"tracking": "closed", "plugin": "closed"},
        "fault": "",
    }
    now_ms = harness.clock.wall_ns() // 1_000_000
    harness.cycle = now_ms
    harness.fail("gap")
    harness.fail("raise")
    assert harness.recovery.trader_status("rsi")["fault"] == "it raises"
    harness.clock.now_ns += 61 * NS_PER_S
    assert harness.recovery.trader_status("rsi")["fault"] == ""


def test_a_line_has_no_fault_of_another_version(harness: RecoveryHarness) -> None:
    """The last fault of the version before goes when another version runs, a fault of this one comes."""
    harness.cycle = harness.clock.wall_ns() // 1_000_000
    harness.version("1")
    harness.fail("raise")
    assert harness.recovery.trader_status("rsi")["fault"] == "it raises"
    harness.clock.now_ns += NS_PER_S
    harness.version("2")
    assert harness.recovery.trader_status("rsi")["fault"] == ""
    harness.cycle += 1_000
    harness.fail("gap")
    assert harness.recovery.trader_status("rsi")["fault"] == "it gaps"


def test_a_line_has_no_fault_of_other_settings(harness: RecoveryHarness) -> None:
    """The same code with other settings is another trial, and trusted as another version is."""
    harness.cycle = harness.clock.wall_ns() // 1_000_000
    harness.version("1", "a")
    harness.fail("raise", 6)
    harness.write()
    harness.version("1", "a")
    assert harness.recovery.trader_status("rsi")["fault"] == "it raises"
    harness.clock.now_ns += NS_PER_S
    harness.version("1", "b")
    assert harness.recovery.trader_status("rsi")["fault"] == ""
    assert harness.modes()[1] == {}
    assert harness.write() == [("plugin circuit", "closed", "it runs with other settings")]
    harness.version("2", "c")
    harness.fail("raise")
    harness.version("", "d")  # of a trader that does not run yet
    assert harness.recovery.states("rsi")["plugin"] == "closed"


class TestCleanCycles:
    def test_those_before_a_failure_do_not_count_after_it(self, harness: RecoveryHarness) -> None:
        """A failure says how many cycles before it were clean; the next heartbeat counts from there."""
        harness.fail("gap", 5, cycles=100)
        harness.clock.now_ns += 60 * NS_PER_S
        harness.beat(119)
        assert harness.recovery.states("rsi")["tracking"] == "open"
        harness.beat(120)
        assert harness.recovery.states("rsi")["tracking"] == "closed"

    def test_a_new_incarnation_counts_from_nothing(self, harness: RecoveryHarness) -> None:
        """Late messages of the old incarnation count nothing."""
        harness.fail("gap", 5, cycles=100)
        harness.clock.now_ns += 60 * NS_PER_S
        harness.beat(5, incarnation=2)
        harness.beat(130, incarnation=1)
        harness.beat(19, incarnation=2)
        assert harness.recovery.states("rsi")["tracking"] == "open"
        harness.beat(20, incarnation=2)
        assert harness.recovery.states("rsi")["tracking"] == "closed"

    def test_of_a_trader_that_never_failed_nothing_is_kept(self, harness: RecoveryHarness) -> None:
        harness.beat(50)
        assert harness.ask("circuits") == []


def test_another_version_is_trusted(harness: RecoveryHarness) -> None:
    """The first version that a trader reports is not a new one."""
    harness.fail("raise", 6)
    harness.version("1")
    assert harness.modes()[1] == {"rsi": 2}
    harness.version("1")
    harness.version("2")
    assert harness.modes() == ([], {}, {"rsi": 2})
    assert harness.write()[-1] == ("plugin circuit", "closed", "another version of its code runs")


def test_a_trader_that_is_gone_leaves_nothing(harness: RecoveryHarness) -> None:
    harness.fail("raise", 6)
    harness.recovery.forget("rsi")
    assert harness.modes() == ([], {}, {})
    assert harness.ask("errors")["errors"] == harness.ask("circuits") == []


class TestRestart:
    def test_all_is_as_before(self, harness: RecoveryHarness) -> None:
        """Circuits, errors and the control state's content are restored."""
        harness.fail("raise", 6)
        harness.fail("gap", 3, trader="macd")
        modes, circuits, errors = harness.modes(), harness.ask("circuits"), harness.ask("errors")
        harness.write()
        harness.start()
        assert (harness.modes(), harness.ask("circuits"), harness.ask("errors")) == (modes, circuits, errors)
        harness.fail("gap", 2, trader="macd")
        assert harness.modes()[0] == ["macd"]

    def test_counting_errors_is_written_at_once_and_the_book_now_and_then(self, harness: RecoveryHarness) -> None:
        """A counted error is written at once, so a killed collector loses no circuit; the book, which may be large, is
        written now and then."""
        harness.fail("raise")
        assert set(harness.recovery.drain_documents(errors_too=False)) == {"circuits", "errors"}
        harness.fail("raise")
        assert set(harness.recovery.drain_documents(errors_too=False)) == {"circuits"}
        assert harness.recovery.drain_documents(errors_too=False) == {}
        assert set(harness.recovery.drain_documents(errors_too=True)) == {"errors"}
        harness.fail("raise")
        harness.clock.now_ns += 10 * NS_PER_S
        assert set(harness.recovery.drain_documents(errors_too=False)) == {"circuits", "errors"}

    @pytest.mark.parametrize(
        ("circuits", "words"),
        [
            ({"rsi": {}}, "'tracking' is missing, or means nothing"),
            ([1], "a value is of another kind, or out of its limits"),
            ({"rsi": {"tracking": {"state": "open"}}}, "is missing, or means nothing"),
        ],
    )
    def test_what_cannot_be_used_is_told(self, harness: RecoveryHarness, circuits: Any, words: str) -> None:
        """All circuits are closed then; the log says in plain words what is wrong."""
        harness.record_store.write([], {"circuits": circuits})
        harness.start()
        assert harness.modes() == ([], {}, {})
        assert harness.log.events()[-1] == "what was saved of the circuits cannot be used"
        assert harness.log.lines[-1][2]["reason"].endswith(words)
