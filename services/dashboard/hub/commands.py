"""Commands: what those with the token may do, each as a request to the service that does it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tickflag.common.wire.requests import Service
from tickflag.services.dashboard.hub.refusals import Refused
from tickflag.services.dashboard.hub.topics.arguments import LONGEST, TopicArguments

MOST_BURST = 1_000_000


class Order(NamedTuple):
    """A request to a service."""

    service: Service
    what: str
    arguments: dict[str, Any]


def _trader(what: str) -> Callable[[TopicArguments, str], Order]:
    return lambda arguments, _who: Order("trader", what, {"trader": arguments.text("trader")})


def _release(arguments: TopicArguments, who: str) -> Order:
    return Order("collector", "release", {"trader": arguments.text("trader"), "who": who})


def _burst(arguments: TopicArguments, _who: str) -> Order:
    return Order("feed", "burst", {"symbols": arguments.count("symbols", 0, MOST_BURST, 1)})


_COMMANDS: dict[str, Callable[[TopicArguments, str], Order]] = {
    **{f"trader.{what}": _trader(what) for what in ("start", "stop", "restart", "enable", "disable")},
    "release": _release,
    "feed.swap": lambda _arguments, _who: Order("feed", "swap", {}),
    "feed.burst": _burst,
    "feed.debug": lambda arguments, _who: Order("feed", "debug", {"on": arguments.switch("on")}),
}
MONITORING = "monitoring"
_FORWARDED = (
    *(f"flags.{what}" for what in ("set", "force", "kill", "ramp", "approve", "halt", "rollback", "remove")),
    "experiments.reset",
)
"""The collector checks the arguments of these."""


def order_of(what: str, arguments: Mapping[str, Any], who: str) -> Order:
    """The request that a command leads to. Raises Refused."""
    if what in _FORWARDED:
        if "who" in arguments:
            raise Refused(f"{what!r} has no argument 'who'")
        return Order("collector", what, {**arguments, "who": who})
    command = _COMMANDS.get(what)
    if command is None:
        known = ", ".join((*_COMMANDS, *_FORWARDED, MONITORING))
        raise Refused(f"there is no command {what[:LONGEST]!r}: there are {known}")
    checked = TopicArguments(what, arguments)
    order = command(checked, who)
    checked.end()
    return order


def monitoring_of(arguments: Mapping[str, Any]) -> bool:
    """What the monitoring switch is to be. Raises Refused."""
    checked = TopicArguments(MONITORING, arguments)
    on = checked.switch("on")
    checked.end()
    return on
