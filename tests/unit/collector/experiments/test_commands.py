"""Commands on experiments."""

import pytest

from tests.support.harnesses.journalled_experiments_harness import AUDIT, HALF, JournalledExperimentsHarness


def test_report_has_every_experiment(harness: JournalledExperimentsHarness) -> None:
    """The report has the experiments of all feature flags, or of one. The built-in experiment belongs to the flag of
    tracking."""
    harness.run_experiment()
    harness.experiments.apply(AUDIT)
    report = harness.ask("experiments")
    (one,) = report["experiments"]
    assert (one["flag"], one["running"], one["percentage"]) == ("use_ema", True, 50.0)
    (on,) = (arm for arm in one["arms"] if arm["arm"] == "on")
    assert (on["traders"], on["cycles"]) == (1, 1)
    assert on["means"] == {"cpu_ns": 500.0, "processed": 0.0, "latency_ns": 700.0, "bytes": 0.0, "failures": 0.0}
    assert [row["trader"] for row in report["tracking"]["traders"]] == ["rsi"]
    assert harness.ask("experiments", flag="use_ema") == {"experiments": [one], "tracking": None}
    assert harness.ask("experiments", flag="per_symbol_tracking") == report | {"experiments": []}


def test_reset(harness: JournalledExperimentsHarness) -> None:
    """The answer is the report without sums; the log says who did the reset."""
    harness.run_experiment()
    report = harness.ask("experiments.reset", flag="use_ema", who="ann")
    assert [arm["cycles"] for arm in report["experiments"][0]["arms"]] == [0, 0]
    assert harness.log.lines[-1] == ("info", "experiment begins anew", {"flag": "use_ema", "who": "ann"})


@pytest.mark.parametrize("what", ["experiments", "experiments.reset"])
def test_mistakes(harness: JournalledExperimentsHarness, what: str) -> None:
    """The error for a feature flag without an experiment lists those with one."""
    harness.experiments.follow(HALF)
    error = harness.reply(what, flag="audit").error
    assert error.startswith("no experiment on 'audit': there are per_symbol_tracking, use_ema; `tickflag flags set ")
    assert "no argument 'x'" in harness.reply(what, flag="use_ema", x=1).error


def test_reset_needs_a_flag(harness: JournalledExperimentsHarness) -> None:
    """A reset of everything would be a slip of the hand."""
    assert "'flag' of 'experiments.reset' is missing" in harness.reply("experiments.reset").error


def test_status_has_what_tracking_saves(harness: JournalledExperimentsHarness) -> None:
    """The saving comes with its interval; it is null before the first audit."""
    assert harness.ask("status")["saving"] is None
    harness.experiments.apply(AUDIT)
    harness.experiments.apply(AUDIT)
    saving = harness.ask("status")["saving"]
    assert saving == pytest.approx(
        {"saving": 0.9, "low": 0.9, "high": 0.9, "audits": 2, "part_ns": 20.0, "full_ns": 200.0}
    )
