"""What outlives the process of the experiments."""

import sqlite3

import pytest

from tests.support.harnesses.journalled_experiments_harness import AUDIT, JournalledExperimentsHarness
from tickflag.services.collector.experiments.journalled_experiments import SAVE_EVERY_NS
from tickflag.services.collector.journal.record_store import RecordStore


def test_what_was_saved_is_there_in_the_next_life(harness: JournalledExperimentsHarness) -> None:
    """Sums are saved at most once a period; what came later is lost with the process. An end in order saves
    everything."""
    harness.experiments.apply(AUDIT)
    harness.experiments.save_if_due()
    harness.experiments.apply(AUDIT)
    harness.experiments.save_if_due()
    harness.restart()
    assert harness.audits() == 1
    harness.experiments.apply(AUDIT)
    harness.experiments.save_if_due()
    harness.clock.now_ns += SAVE_EVERY_NS
    harness.experiments.apply(AUDIT)
    harness.experiments.save_if_due()
    harness.experiments.apply(AUDIT)
    harness.experiments.save()
    harness.restart()
    assert harness.audits() == 4


def test_nothing_is_written_where_nothing_changed(
    harness: JournalledExperimentsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save without a change does not touch the disk."""
    harness.experiments.save()
    monkeypatch.setattr(RecordStore, "write", lambda *_: pytest.fail("it wrote"))
    harness.experiments.save_if_due()
    harness.experiments.save()


def test_a_trader_that_is_gone_is_retired(harness: JournalledExperimentsHarness) -> None:
    """The trader's sums stay, its name goes."""
    harness.experiments.apply(AUDIT)
    harness.experiments.retire("rsi")
    tracking = harness.ask("experiments")["tracking"]
    assert (tracking["traders"], tracking["overall"]["audits"]) == ([], 1)


@pytest.mark.parametrize("content", ["{", "[]", '{"version": 3}', '{"saving": {"gone": {"n": -1}}}'])
def test_damage_begins_anew(harness: JournalledExperimentsHarness, content: str) -> None:
    """The log says so, and the next save is whole again."""
    harness.experiments.apply(AUDIT)
    harness.experiments.save()
    with sqlite3.connect(harness.path) as database:
        database.execute("UPDATE documents SET content = ?", (content,))
    database.close()
    harness.restart()
    assert harness.audits() == 0
    level, event, fields = harness.log.lines[-1]
    assert (level, event) == ("warning", "experiments begin anew, as what was saved of them is damaged")
    assert "\n" not in fields["reason"]
    harness.experiments.save()
    count = len(harness.log.lines)
    harness.restart()
    assert len(harness.log.lines) == count
