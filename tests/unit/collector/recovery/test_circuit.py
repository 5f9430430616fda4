"""A trader's circuits, with the times of the default settings. The property tests cover the rest."""

import pytest

from tickflag.common.settings_schema.collector import RecoveryBlock
from tickflag.common.units import NS_PER_S
from tickflag.services.collector.recovery.circuit import Circuit, Kind, Limits

LIMITS = Limits.of(RecoveryBlock())  # type: ignore[call-arg] # Field's first argument is the default


class Story:
    """A circuit whose times are seconds."""

    def __init__(self, kind: Kind) -> None:
        self.circuit = Circuit(kind, LIMITS, 0)
        self._cycle = 0

    def fail(self, *seconds: float) -> str:
        for second in seconds:
            self._cycle += 1
            self.circuit.failed(round(second * NS_PER_S), (1, self._cycle))
        return self.circuit.state

    def succeed(self, second: float, count: int = 1) -> str:
        for _ in range(count):
            self.circuit.succeeded(round(second * NS_PER_S))
        return self.circuit.state

    def at(self, second: float) -> str:
        self.circuit.advance(round(second * NS_PER_S))
        return self.circuit.state


@pytest.fixture
def tracking() -> Story:
    return Story("tracking")


@pytest.fixture
def plugin() -> Story:
    return Story("plugin")


def test_five_errors_within_a_minute_open(tracking: Story) -> None:
    """Four errors do not open it."""
    assert tracking.fail(0, 15, 30, 45) == "closed"
    assert tracking.fail(59.999) == "open"


def test_an_error_as_old_as_the_window_counts_no_more(tracking: Story) -> None:
    """The older edge of the window is outside."""
    assert tracking.fail(0, 15, 30, 45, 60) == "closed"
    assert tracking.fail(74.9) == "open"


def test_a_failure_counts_once_however_often_it_is_retried(plugin: Story) -> None:
    """This holds when the retry comes after the window, and when another failure came between."""
    for second in (0, 1, 2, 3, 100, 101):
        plugin.circuit.failed(second * NS_PER_S, (1, 7))
    assert plugin.at(101) == "closed"
    assert plugin.fail(102, 103) == "closed"
    plugin.circuit.failed(104 * NS_PER_S, (1, 1))
    assert plugin.fail(105, 106) == "closed"
    assert plugin.fail(107) == "half-open"


def test_processing_all_ends_with_time_and_clean_cycles(tracking: Story) -> None:
    """Both are needed, in either order."""
    tracking.fail(0, 1, 2, 3, 4)
    assert tracking.succeed(10, 20) == "open"
    assert tracking.at(33.9) == "open"
    assert tracking.at(34) == "closed"
    tracking.fail(100, 101, 102, 103, 104)
    assert tracking.at(1_000) == "open"
    assert tracking.succeed(1_000, 19) == "open"
    assert tracking.succeed(1_000) == "closed"


def test_an_error_while_open_starts_the_clean_cycles_anew(tracking: Story) -> None:
    """The clean cycles have to be in a row."""
    tracking.fail(0, 1, 2, 3, 4)
    tracking.succeed(10, 19)
    tracking.fail(11)
    assert tracking.succeed(40, 19) == "open"
    assert tracking.succeed(40) == "closed"


def test_opening_soon_again_takes_longer(tracking: Story) -> None:
    """The backoff doubles, so the circuit does not flap; calm halves it again."""
    tracking.fail(0, 1, 2, 3, 4)
    assert tracking.succeed(34, 20) == "closed"
    tracking.fail(40, 41, 42, 43, 44)
    assert tracking.succeed(100, 20) == "open"
    assert tracking.at(104) == "closed"
    assert tracking.circuit.level == 2
    tracking.at(104 + 599)
    assert tracking.circuit.level == 2
    tracking.at(104 + 600)
    assert tracking.circuit.level == 1
    tracking.at(104 + 1_200)
    assert tracking.circuit.level == 0


@pytest.mark.parametrize(("kind", "seconds"), [("tracking", 1_000), ("plugin", 50)])
def test_calm_begins_when_it_closes(kind: Kind, seconds: int) -> None:
    """It closes when the last clean cycle comes, where that is later than its time."""
    story = Story(kind)
    story.fail(0, 1, 2, 3, 4)
    assert story.succeed(seconds, 20) == "closed"
    story.at(seconds + 599)
    assert story.circuit.level == 1
    story.at(seconds + 600)
    assert story.circuit.level == 0


def test_an_error_breaks_the_calm(tracking: Story) -> None:
    """Calm means ten minutes without any error."""
    tracking.fail(0, 1, 2, 3, 4)
    tracking.succeed(34, 20)
    tracking.fail(600)
    tracking.at(700)
    assert tracking.circuit.level == 1
    tracking.at(1_200)
    assert tracking.circuit.level == 0


def test_first_a_fresh_start_then_quarantine(plugin: Story) -> None:
    """Each failed probe brings a longer quarantine."""
    assert plugin.fail(0, 1, 2, 3, 4) == "half-open"
    assert plugin.circuit.fresh_starts == 1
    assert plugin.fail(5) == "open"
    assert plugin.at(34.9) == "open"
    assert plugin.at(35) == "half-open"
    assert plugin.circuit.fresh_starts == 2
    assert plugin.fail(36) == "open"
    assert plugin.at(95.9) == "open"
    assert plugin.at(96) == "half-open"


def test_the_backoff_has_a_limit(plugin: Story) -> None:
    """The limit holds however many probes fail."""
    plugin.fail(0, 1, 2, 3, 4)
    now = 10.0
    for _ in range(60):
        plugin.fail(now)
        due_ns = plugin.circuit.due_ns()
        assert due_ns is not None
        wait_s, now = due_ns / NS_PER_S - now, due_ns / NS_PER_S
        plugin.at(now)
    assert wait_s == 1_800


def test_a_probe_is_passed_by_clean_cycles_after_the_least_time(plugin: Story) -> None:
    """It takes twenty clean cycles and five seconds."""
    plugin.fail(0, 1, 2, 3, 4)
    assert plugin.succeed(5, 20) == "half-open"
    assert plugin.at(8.9) == "half-open"
    assert plugin.at(9) == "closed"


def test_a_probe_is_limited_in_time(plugin: Story) -> None:
    """A quiet market gives few clean cycles: one is enough at the probe's end. None tells nothing: the same wait
    again."""
    plugin.fail(0, 1, 2, 3, 4)
    plugin.succeed(20)
    assert plugin.at(63.9) == "half-open"
    assert plugin.at(64) == "closed"
    plugin = Story("plugin")
    plugin.fail(0, 1, 2, 3, 4)
    assert plugin.at(64) == "open"
    assert plugin.at(94) == "half-open"
    assert plugin.at(154) == "open"
    assert plugin.at(184) == "half-open"


def test_quarantine_hears_nothing(plugin: Story) -> None:
    """What a worker sent before its end does not count."""
    plugin.fail(0, 1, 2, 3, 4, 5)
    plugin.fail(6, 7)
    plugin.succeed(8, 20)
    assert plugin.at(35) == "half-open"
    assert plugin.circuit.level == 2
    assert plugin.at(95) == "open"


def test_release_closes_and_forgets(plugin: Story) -> None:
    """What follows is as for a trader that never failed. A trader in quarantine is started fresh."""
    plugin.fail(0, 1, 2, 3, 4, 5)
    plugin.circuit.release(6 * NS_PER_S)
    assert (plugin.circuit.state, plugin.circuit.level, plugin.circuit.fresh_starts) == ("closed", 0, 2)
    assert plugin.fail(7, 8, 9, 10) == "closed"
    plugin.circuit.release(11 * NS_PER_S)
    assert plugin.circuit.fresh_starts == 2
    assert plugin.fail(12, 13, 14, 15) == "closed"
    assert plugin.fail(16) == "half-open"


def test_time_does_not_go_back(tracking: Story) -> None:
    """An earlier time counts as the latest."""
    tracking.fail(100, 101, 102, 103)
    assert tracking.fail(0) == "open"
    assert tracking.circuit.advance(0) == 103 * NS_PER_S
