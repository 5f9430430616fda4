"""Experiments: which feature flags are one, what is counted, and for whom.

Of the traders here `breakout` has bucket 11,463, `vwap` 39,732, `macd` 59,538 and `rsi` 83,718.
"""

from typing import Any

import msgpack
import pytest

from tests.support.harnesses.experiments_harness import FLAG, ExperimentsHarness
from tickflag.common.flags import Arm, Rule
from tickflag.common.units import LARGEST_INT64
from tickflag.services.collector.experiments.experiments import Experiments

AB = (Arm(name="a", share=50.0), Arm(name="control", share=50.0, value=False))
NOTHING = {"traders": 0, "cycles": 0, "failures": 0, "results": 0, "seconds": 0.0}


@pytest.fixture
def trial() -> ExperimentsHarness:
    """An experiment in which half of the traders have had the feature flag on for a while."""
    trial = ExperimentsHarness()
    trial.rule(percentage=50)
    trial.pass_time()
    return trial


def both(trial: ExperimentsHarness, times: int = 1) -> None:
    """Let the four traders, two in each arm, work."""
    for _ in range(times):
        trial.work("vwap", cycles=10, cpu_ns=1_000, processed=50, bytes_wire=400)
        trial.work("breakout", cycles=30, cpu_ns=5_000, processed=150, bytes_wire=600)
        trial.work("macd", cycles=10, cpu_ns=10_000, processed=500, bytes_wire=4_000, failures=2)
        trial.work("rsi", cycles=20, cpu_ns=26_000, processed=900, bytes_wire=6_000, failures=1)


@pytest.mark.parametrize(
    ("rule", "arms"),
    [
        ({}, []),
        ({"percentage": 0}, []),
        ({"percentage": 100}, []),
        ({"percentage": 50, "killed": True}, []),
        ({"arms": AB}, []),
        ({"percentage": 0, "arms": AB}, []),
        ({"percentage": 100, "arms": AB[:1]}, [("a", True, 50.0), ("off", False, 50.0)]),
        ({"percentage": 100, "arms": [Arm(name="off", share=30.0)]}, [("off", True, 30.0), ("rest", False, 70.0)]),
        ({"percentage": 100, "arms": [Arm(name="a", share=100.0)]}, []),
        ({"percentage": 0.5}, [("on", True, 0.5), ("off", False, 99.5)]),
        ({"percentage": 100, "arms": AB}, [("a", True, 50.0), ("control", False, 50.0)]),
        ({"percentage": 10, "arms": AB}, [("a", True, 50.0), ("control", False, 50.0)]),
    ],
)
def test_what_is_an_experiment(rule: dict[str, Any], arms: list[tuple[str, bool, float]]) -> None:
    """An experiment is a percentage that leaves traders in more than one arm."""
    trial = ExperimentsHarness()
    trial.rule(**rule)
    found = trial.experiments.report()["experiments"]
    assert [(arm["arm"], arm["value"], arm["share"]) for one in found for arm in one["arms"]] == arms


def test_flags_by_symbol_are_none() -> None:
    """Symbols do no work of their own."""
    trial = ExperimentsHarness()
    trial.rule("symbol_rate_limit", percentage=50)
    assert trial.experiments.report()["experiments"] == []


def test_differences_between_heartbeats_are_counted(trial: ExperimentsHarness) -> None:
    """The first heartbeat is the base: counts from before it may belong to another arm."""
    both(trial)
    assert [trial.arm(arm)["cycles"] for arm in ("on", "off")] == [0, 0]
    both(trial, 2)
    on = trial.arm("on")
    assert on["means"] == {"cpu_ns": 150.0, "processed": 5.0, "latency_ns": None, "bytes": 25.0, "failures": 0.0}
    assert {name: on[name] for name in NOTHING} == {
        "traders": 2, "cycles": 80, "failures": 0, "results": 0, "seconds": 16.0
    }  # fmt: skip
    off = trial.arm("off")
    assert (off["traders"], off["cycles"], off["failures"]) == (2, 60, 6)
    assert off["means"]["failures"] == pytest.approx(6 / 66)
    cpu = trial.metric("cpu_ns")
    assert (cpu["value"], cpu["against"], cpu["ratio"], cpu["why"]) == (150.0, 1_200.0, 0.125, "")
    assert cpu["low"] < 0.125 < cpu["high"]


def test_a_heartbeat_that_is_missing_is_made_good_by_the_next(trial: ExperimentsHarness) -> None:
    """The counts go on in the next heartbeat."""
    trial.work("vwap", cycles=10)
    trial.work("vwap", cycles=10, ns=60_000_000_000)
    arm = trial.arm("on")
    assert (arm["cycles"], arm["seconds"]) == (10, 60.0)


def test_another_incarnation_begins_anew(trial: ExperimentsHarness) -> None:
    """The counts of the new incarnation begin anew; a difference to those of the old one would be nonsense."""
    trial.work("vwap", cycles=10)
    trial.work("vwap", cycles=1)
    trial.work("vwap", incarnation=2, cycles=100)
    trial.work("vwap", incarnation=2, cycles=5)
    assert trial.arm("on")["cycles"] == 6


def test_counts_that_fall_are_not_counted(trial: ExperimentsHarness) -> None:
    """No count of that heartbeat is used; the next difference is taken from there."""
    trial.work("vwap", cycles=10, cpu_ns=100)
    trial.work("vwap", cycles=10, cpu_ns=-50)
    assert trial.arm("on")["cycles"] == 0
    trial.work("vwap", cycles=10, cpu_ns=7)
    assert (trial.arm("on")["cycles"], trial.arm("on")["means"]["cpu_ns"]) == (10, 0.7)


def test_latency_is_from_the_oldest_update_to_the_arrival(trial: ExperimentsHarness) -> None:
    """Results count that come after the first heartbeat of their incarnation and know their oldest update; no latency
    is below 0."""
    trial.result("vwap", 9_000)
    trial.work("vwap")
    trial.result("vwap", 9_000, incarnation=2)
    trial.result("vwap", trial.clock.now_ns)  # a result that does not know its oldest update
    assert trial.arm("on")["results"] == 0
    trial.result("vwap", 1_000)
    trial.result("vwap", 3_000)
    trial.result("vwap", -500)
    trial.result("nobody", 500)
    arm = trial.arm("on")
    assert (arm["results"], arm["means"]["latency_ns"]) == (3, pytest.approx(4_000 / 3))


def test_a_change_of_arm_is_counted_in_neither(trial: ExperimentsHarness) -> None:
    """Nothing is counted from the last heartbeat before the change to the first one after the worker learnt of it; then
    the other arm counts."""
    trial.rule(percentage=10)
    trial.work("breakout", cycles=1)
    trial.pass_time()
    trial.work("breakout", cycles=1)
    trial.work("breakout", cycles=1)
    trial.rule(percentage=50)
    trial.work("breakout", cycles=100)
    trial.result("breakout", 5)
    trial.pass_time()
    trial.work("breakout", cycles=1_000)
    assert [trial.arm(arm)["cycles"] for arm in ("on", "off")] == [0, 1]
    trial.work("breakout", cycles=5)
    trial.result("breakout", 5)
    assert [trial.arm(arm)["cycles"] for arm in ("on", "off")] == [5, 1]
    assert [trial.arm(arm)["results"] for arm in ("on", "off")] == [1, 0]
    assert [trial.arm(arm)["traders"] for arm in ("on", "off")] == [1, 1]
    assert [trial.arm(arm)["present"] for arm in ("on", "off")] == [1, 0]


def test_who_stays_in_its_arm_goes_on_through_a_ramp(trial: ExperimentsHarness) -> None:
    """Such a trader loses no count."""
    trial.rule(percentage=40)
    trial.pass_time()
    trial.work("rsi")
    for percentage in (41, 42, 43):
        trial.rule(percentage=percentage)
        trial.work("rsi", cycles=1)
    assert trial.arm("off")["cycles"] == 3


def test_who_is_first_heard_of_after_a_change_waits_as_well(trial: ExperimentsHarness) -> None:
    """The worker of such a trader may not have learnt of the change either."""
    trial.rule(percentage=10)
    trial.work("breakout", cycles=1)
    trial.work("breakout", cycles=1, ns=500_000_000)
    trial.work("breakout", cycles=1)
    assert trial.arm("off")["cycles"] == 0
    trial.work("breakout", cycles=1)
    assert trial.arm("off")["cycles"] == 1


def test_a_change_of_another_flag_is_none_of_this_one(trial: ExperimentsHarness) -> None:
    """A trader that is first heard of right after it is counted at once."""
    half = Rule(default=False, percentage=50)
    trial.rules({FLAG: half, "audit": Rule(default=False)})
    trial.work("vwap", cycles=1)
    trial.work("vwap", cycles=1)
    assert trial.arm("on")["cycles"] == 1


def test_a_trader_without_a_cycle_has_no_data(trial: ExperimentsHarness) -> None:
    """A trader without a cycle counts neither while it is there nor when it is gone: it would be one more unit of the
    interval."""
    trial.work("vwap")
    trial.work("vwap")
    assert (trial.arm("on")["traders"], trial.arm("on")["present"]) == (0, 1)
    trial.experiments.retire("vwap")
    assert trial.arm("on")["traders"] == 0


def test_forced_traders_are_not_counted(trial: ExperimentsHarness) -> None:
    """Forced by name or by owner, a trader is not in its arm by chance. The owner is that of the heartbeat."""
    trial.rule(percentage=50, force={"vwap": True}, owners={"desk": False})
    trial.pass_time()
    for _ in range(3):
        trial.work("vwap", cycles=1)
        trial.work("rsi", owner="desk", cycles=1)
    assert [trial.arm(arm)["cycles"] for arm in ("on", "off")] == [0, 0]
    trial.work("rsi", owner="other", cycles=1)
    trial.pass_time()
    trial.work("rsi", owner="other", cycles=1)
    trial.work("rsi", owner="other", cycles=1)
    assert [trial.arm(arm)["cycles"] for arm in ("on", "off")] == [0, 1]


def test_named_arms_are_compared_with_the_one_that_is_off() -> None:
    """Each other arm is compared; a trader in no arm is not counted."""
    trial = ExperimentsHarness()
    arms = [Arm(name="a", share=20.0), Arm(name="b", share=30.0), Arm(name="c", share=20.0, value=False)]
    trial.rule(percentage=100, arms=arms)
    trial.pass_time()
    both(trial, 2)
    assert {arm["arm"]: arm["cycles"] for arm in trial.shown()["arms"]} == {"a": 30, "b": 10, "c": 10}
    assert [(one["arm"], one["against"]) for one in trial.shown()["comparisons"]] == [("a", "c"), ("b", "c")]
    trial.rule(percentage=100, arms=[arm.model_copy(update={"value": True}) for arm in arms[:2]])
    assert [(one["arm"], one["against"]) for one in trial.shown()["comparisons"]] == [("a", "b")]


def test_a_single_arm_is_compared_with_the_rest() -> None:
    """A trader in no arm has the feature flag off."""
    trial = ExperimentsHarness()
    trial.rule(percentage=100, arms=[Arm(name="a", share=50.0)])
    trial.pass_time()
    both(trial, 2)
    assert {arm["arm"]: arm["cycles"] for arm in trial.shown()["arms"]} == {"a": 40, "off": 30}
    assert [(one["arm"], one["against"]) for one in trial.shown()["comparisons"]] == [("a", "off")]


def test_sums_stay_when_all_have_the_same(trial: ExperimentsHarness) -> None:
    """The experiment rests until the feature flag divides the traders again. With the same arms it goes on, with others
    it begins anew."""
    both(trial, 2)
    since_ms = trial.shown()["since_ms"]
    trial.rule(percentage=100)
    both(trial, 2)
    ended = trial.shown()
    assert (ended["running"], ended["percentage"], ended["sample_ratio"]) == (False, None, None)
    assert [(arm["cycles"], arm["share"], arm["present"]) for arm in ended["arms"]] == [(40, None, 0), (30, None, 0)]
    assert trial.metric("cpu_ns")["ratio"] == 0.125
    trial.rule(percentage=50)
    trial.pass_time()
    both(trial, 2)
    assert [trial.arm(arm)["cycles"] for arm in ("on", "off")] == [80, 60]
    assert trial.shown()["since_ms"] == since_ms
    trial.rule(percentage=50, arms=AB)
    assert [arm["cycles"] for arm in trial.shown()["arms"]] == [0, 0]
    assert trial.shown()["since_ms"] == trial.time_ms


def test_a_flag_that_is_removed_takes_its_sums_with_it(trial: ExperimentsHarness) -> None:
    """A feature flag that is made later under the same name is another one."""
    both(trial, 2)
    trial.rules({"audit": Rule(default=True)})
    assert trial.experiments.report()["experiments"] == []
    trial.rule(percentage=50)
    assert trial.arm("on")["cycles"] == 0


def test_flags_are_measured_at_the_same_time(trial: ExperimentsHarness) -> None:
    """Each trader is in an arm of each feature flag. In the other flag `vwap` has bucket 83,671."""
    half = Rule(default=False, percentage=50)
    trial.rules({FLAG: half, "batch_mode": half})
    trial.pass_time()
    both(trial, 2)
    assert trial.arm("on")["cycles"] == 40
    assert trial.arm("on", "batch_mode")["cycles"] == 10
    assert [one["flag"] for one in trial.experiments.report()["experiments"]] == ["batch_mode", FLAG]


def test_reset(trial: ExperimentsHarness) -> None:
    """The sums of a running experiment begin anew, from the last heartbeats on; those of an ended one are gone."""
    both(trial, 2)
    trial.pass_time()
    trial.experiments.reset(FLAG, trial.time_ms)
    assert [{name: arm[name] for name in NOTHING} for arm in trial.shown()["arms"]] == [NOTHING, NOTHING]
    assert trial.shown()["since_ms"] == trial.time_ms
    both(trial)
    assert trial.arm("on")["cycles"] == 40
    trial.rule(percentage=100)
    trial.experiments.reset(FLAG, trial.time_ms)
    assert trial.experiments.report()["experiments"] == []


def test_reset_of_the_standing_experiment() -> None:
    """The built-in experiment belongs to the feature flag of tracking, and to no other."""
    trial = ExperimentsHarness()
    trial.rule(percentage=50)
    trial.audit("rsi", 1, 10)
    trial.experiments.reset(FLAG, trial.time_ms)
    assert trial.experiments.saving() is not None
    trial.pass_time()
    trial.experiments.reset("per_symbol_tracking", trial.time_ms)
    assert trial.experiments.saving() is None
    assert trial.experiments.report()["tracking"]["since_ms"] == trial.time_ms


def test_a_trader_that_is_gone_stays_in_the_sums(trial: ExperimentsHarness) -> None:
    """Ratio and interval stay the same. The trader itself is forgotten, and counts as another one when it returns."""
    both(trial, 3)
    trial.result("vwap", 500)
    trial.audit("vwap", 1, 10)
    before, saving = trial.shown(), trial.experiments.saving()
    for trader in ("vwap", "macd", "nobody"):
        trial.experiments.retire(trader)
    after = trial.shown()
    assert [arm.pop("present") for arm in before["arms"]] == [2, 2]
    assert [arm.pop("present") for arm in after["arms"]] == [1, 1]
    assert after["arms"] == before["arms"]
    for one, other in zip(after["comparisons"][0]["metrics"], before["comparisons"][0]["metrics"], strict=True):
        assert one == pytest.approx(other)
    assert trial.experiments.saving() == saving
    assert trial.experiments.report()["tracking"]["traders"] == []
    assert "vwap" not in str(trial.experiments.to_dict())
    trial.work("vwap", cycles=1)
    trial.work("vwap", cycles=1)
    assert (trial.arm("on")["traders"], trial.arm("on")["cycles"]) == (3, 81)


def test_why_there_is_no_interval(trial: ExperimentsHarness) -> None:
    """The reason is in words: no data, a single trader, or nothing that counts."""
    assert trial.metric("cpu_ns")["why"] == "no data in arm on"
    trial.work("vwap", cycles=1, cpu_ns=1)
    trial.work("vwap", cycles=1, cpu_ns=1)
    assert trial.metric("cpu_ns")["why"] == "no data in arm off"
    both(trial, 2)
    trial.experiments.reset(FLAG, trial.time_ms)
    trial.work("vwap", cycles=1, cpu_ns=1)
    trial.work("macd", cycles=1, cpu_ns=2)
    found = trial.metric("cpu_ns")
    assert (found["ratio"], found["low"], found["why"]) == (0.5, None, "only one trader in arm on")
    assert trial.metric("failures")["why"] == "none in arm on"
    trial.work("vwap", cycles=1, failures=1)
    assert trial.metric("failures")["why"] == "none in arm off"
    trial.work("macd", cycles=1, failures=1)
    assert trial.metric("failures")["why"] == "only one trader in arm on"


def test_a_trader_that_only_fails_counts_for_the_failures(trial: ExperimentsHarness) -> None:
    """Such a trader has no clean cycle, which is the worst that an arm can do; the other metrics leave it out."""
    both(trial, 2)
    trial.work("top-movers", failures=50)
    trial.work("top-movers", failures=50)
    arm = trial.arm("on")
    assert (arm["traders"], arm["failures"], arm["means"]["failures"]) == (3, 50, 50 / 90)
    assert arm["means"]["cpu_ns"] == 150.0


def _crowd(trial: ExperimentsHarness, names: list[str]) -> None:
    for name in names * 2:
        trial.work(name, ns=1, cycles=1)


def test_sample_ratio(trial: ExperimentsHarness) -> None:
    """The traders now in each arm are compared with its share; a warning comes where an arm has lost its traders."""
    names = [f"t{n}" for n in range(60)]
    _crowd(trial, names[:8])
    assert trial.shown()["sample_ratio"] == {"p": None, "chi_square": None, "degrees": None, "warning": False}
    _crowd(trial, names)
    found, present = trial.shown()["sample_ratio"], [arm["present"] for arm in trial.shown()["arms"]]
    assert sum(present) == 60
    assert found["p"] > 0.01
    assert not found["warning"]
    on = [name for name in names if trial.experiments.to_dict()["experiments"][FLAG]["arms"]["on"]["traders"].get(name)]
    for name in on[5:]:
        trial.experiments.retire(name)
    found = trial.shown()["sample_ratio"]
    assert found["p"] < 0.001
    assert found["warning"]


def test_what_was_saved_goes_on(trial: ExperimentsHarness) -> None:
    """Sums, gone traders and start survive as JSON and as msgpack. The next heartbeat is a base again."""
    both(trial, 2)
    trial.result("vwap", 500)
    trial.audit("vwap", 1, 10)
    trial.audit("rsi", 2, 10)
    trial.experiments.retire("vwap")
    before = trial.experiments.report()
    assert msgpack.unpackb(msgpack.packb(before)) == before
    trial.restart()
    trial.rule(percentage=50)
    after = trial.experiments.report()
    for arm in (*before["experiments"][0]["arms"], *after["experiments"][0]["arms"]):
        del arm["present"]
    assert after == before
    trial.pass_time()
    both(trial)
    assert trial.arm("on")["cycles"] == 40
    both(trial)
    assert trial.arm("on")["cycles"] == 80


def test_what_ended_is_saved_as_well(trial: ExperimentsHarness) -> None:
    """An ended experiment is not running in the next life either."""
    both(trial, 2)
    trial.rule(percentage=100)
    trial.restart()
    assert not trial.shown()["running"]
    trial.rule(percentage=100)
    assert trial.arm("on")["cycles"] == 40


def test_changed_tells_when_there_is_something_to_save(trial: ExperimentsHarness) -> None:
    """Not every message is something to save."""

    def changed() -> bool:
        found, trial.experiments.changed = trial.experiments.changed, False
        return found

    assert changed()
    trial.work("vwap")
    trial.result("macd", 5)
    trial.audit("vwap", 1, 0)
    trial.rule(percentage=50)
    trial.experiments.retire("nobody")
    assert not changed()
    trial.work("vwap", cycles=1)
    assert changed()
    trial.result("vwap", 5)
    assert changed()
    trial.audit("vwap", 1, 2)
    assert changed()
    trial.experiments.retire("vwap")
    assert changed()
    trial.experiments.reset(FLAG, 5)
    assert changed()
    trial.rules({})
    assert changed()
    trial.restart()
    assert not changed()


@pytest.mark.parametrize(
    "saved",
    [
        [],
        {"version": 2},
        {"experiments": {FLAG: {}}},
        {"experiments": {FLAG: {"keys": [], "since_ms": 0, "arms": {"on": {"traders": {"rsi": {"cycles": -1}}}}}}},
        {"saving": {"gone": {"n": 1, "x": float("nan")}}},
        {"saving": {"traders": {"rsi": 5}}},
    ],
)
def test_damage_is_told(saved: object) -> None:
    """Damage gives a ValueError, and no nonsense in a report."""
    with pytest.raises(ValueError, match="validation error"):
        Experiments.from_dict(saved, 1)


def test_numbers_stay_such_that_a_message_can_hold(trial: ExperimentsHarness) -> None:
    """Whatever a heartbeat holds, a message can hold the sums."""
    for _ in range(3):
        trial.work("vwap", incarnation=1, cycles=2**62, cpu_ns=2**62, failures=2**62)
    trial.experiments.retire("vwap")
    assert trial.arm("on")["cycles"] == LARGEST_INT64
    msgpack.packb(trial.experiments.report())
