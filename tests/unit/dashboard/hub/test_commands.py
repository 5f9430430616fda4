"""Commands: each leads to one request, and says who gave it where a history is kept."""

from typing import Any

import pytest

from tickflag.services.dashboard.hub.commands import Order, monitoring_of, order_of
from tickflag.services.dashboard.hub.refusals import Refused


@pytest.mark.parametrize(
    ("what", "arguments", "order"),
    [
        ("trader.stop", {"trader": "rsi"}, Order("trader", "stop", {"trader": "rsi"})),
        ("trader.enable", {"trader": "rsi"}, Order("trader", "enable", {"trader": "rsi"})),
        ("release", {"trader": "rsi"}, Order("collector", "release", {"trader": "rsi", "who": "dashboard"})),
        ("feed.swap", {}, Order("feed", "swap", {})),
        ("feed.burst", {"symbols": 9}, Order("feed", "burst", {"symbols": 9})),
        ("feed.debug", {"on": True}, Order("feed", "debug", {"on": True})),
        (
            "flags.set", {"flag": "audit", "value": 5},
            Order("collector", "flags.set", {"flag": "audit", "value": 5, "who": "dashboard"}),
        ),
        (
            "experiments.reset", {"flag": "x"},
            Order("collector", "experiments.reset", {"flag": "x", "who": "dashboard"}),
        ),
    ],
)  # fmt: skip
def test_a_command_is_a_request(what: str, arguments: dict[str, Any], order: Order) -> None:
    """With its arguments, checked here or by the collector."""
    assert order_of(what, arguments, "dashboard") == order


@pytest.mark.parametrize(
    ("what", "arguments", "error"),
    [
        ("feed.stop", {}, "there is no command 'feed.stop'"),
        ("status", {}, "there is no command"),
        ("trader.stop", {}, "argument 'trader'"),
        ("trader.stop", {"trader": "a", "who": "me"}, "no argument 'who'"),
        ("flags.kill", {"flag": "a", "who": "me"}, "no argument 'who'"),
        ("feed.burst", {"symbols": 0}, "argument 'symbols'"),
        ("feed.debug", {"on": 1}, "argument 'on'"),
    ],
)
def test_wrong_commands_are_refused(what: str, arguments: dict[str, Any], error: str) -> None:
    """With the name of what is wrong; nobody gives a command in another's name."""
    with pytest.raises(Refused, match=error):
        order_of(what, arguments, "dashboard")


def test_the_monitoring_switch() -> None:
    """It is on or off, and nothing else."""
    assert monitoring_of({"on": False}) is False
    with pytest.raises(Refused, match="argument 'on' of 'monitoring' must be true or false"):
        monitoring_of({"on": "off"})
