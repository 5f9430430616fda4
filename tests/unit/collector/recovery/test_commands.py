"""Commands on circuits and errors."""

import pytest

from tests.support.harnesses.recovery_harness import RecoveryHarness
from tickflag.common.errors import TickflagError
from tickflag.common.units import NS_PER_S


def test_circuits(harness: RecoveryHarness) -> None:
    harness.fail("raise", 2)
    harness.clock.now_ns += 3 * NS_PER_S
    tracking, plugin = harness.ask("circuits", trader="rsi")
    assert (plugin["circuit"], plugin["state"], plugin["errors"], plugin["of"]) == ("plugin", "closed", 2, 5)
    assert (tracking["errors"], tracking["for_s"], tracking["due_in_s"]) == (0, 3.0, None)
    assert harness.ask("circuits", trader="macd") == []


def test_errors(harness: RecoveryHarness) -> None:
    harness.fail("raise", 2)
    harness.fail("gap", trader="macd")
    found = harness.ask("errors")
    assert [(one["trader"], one["kind"], one["count"]) for one in found["errors"]] == [
        ("macd", "gap", 1),
        ("rsi", "raise", 2),
    ]
    [one] = harness.ask("errors", trader="rsi")["errors"]
    assert (one["text"], one["first_ms"], one["last_ms"], one["stack"]) == ("it raises", 1, 2, "where")


def test_release(harness: RecoveryHarness) -> None:
    """The notice says who did it; nothing is held against the trader."""
    harness.fail("raise", 6)
    assert harness.ask("release", trader="rsi", who="ann")["circuits"] == {"tracking": "closed", "plugin": "closed"}
    assert harness.modes() == ([], {}, {"rsi": 2})
    assert harness.write()[-1] == ("plugin circuit", "closed", "released by ann")
    with pytest.raises(TickflagError, match="'macd' has no circuit that ever opened or counted a failure"):
        harness.ask("release", trader="macd")
