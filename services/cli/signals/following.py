"""following: the events of the collector, until nobody reads our output any more."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import click
import zmq

from tickflag.common.client.engine_address import remote_engine
from tickflag.common.client.follower.events import (
    CollectorAway,
    CollectorBack,
    MatchSets,
    NewNotices,
    NewSignals,
    Place,
)
from tickflag.common.client.follower.follower import Follower
from tickflag.common.client.follower.signal_feed import signals_endpoint
from tickflag.common.errors import TickflagError
from tickflag.common.settings import Settings

LOOK_S = 0.5  # between looks whether somebody reads


def check_published(settings: Settings, status: dict[str, Any]) -> None:
    """Raises TickflagError where the collector with this answer to `status` is that of another machine, and publishes
    nothing to us."""
    there = remote_engine(settings)
    if there is not None:
        try:
            signals_endpoint(there, status)
        except TickflagError as error:
            raise TickflagError(f"{error}, or leave out `--follow`") from None


def followed(settings: Settings, place: Place) -> Iterator[NewSignals | NewNotices]:
    """Signals and notices after the place, and what journals begun later have. Standard error tells what is between.

    Raises TickflagError where the other machine refuses us.
    """
    with Follower(settings.runtime_folder(), remote_engine(settings), place) as follower:
        while _open():
            match follower.wait_event(LOOK_S):
                case MatchSets() as snapshot:
                    follower.seek(_beginning(snapshot))
                case NewNotices(missed=missed) as event:
                    if missed:
                        _say(f"{missed:,} notices are no longer kept")
                    yield event
                case NewSignals() as event:
                    yield event
                case CollectorAway(reason):
                    _say(f"{reason}; waiting for it")
                case CollectorBack():
                    _say("the collector is back")


def _beginning(snapshot: MatchSets) -> Place:
    """Where to go on for all signals that the journal still has: match sets are not shown here."""
    place, first = snapshot.place, snapshot.first_signal
    if snapshot.why == "no longer kept" and snapshot.before is not None:
        _say(f"signals {snapshot.before.signal + 1:,} to {first - 1:,} are no longer kept")
    else:
        _say("the journal was begun anew")
    return Place(place.journal_id, first - 1, place.notice)


def _say(text: str) -> None:
    click.echo(f"tickflag: {text}", err=True)


def _open() -> bool:
    """Whether somebody still reads our output: its descriptor is ready only when the other end is closed."""
    poller = zmq.Poller()
    with contextlib.suppress(OSError):  # standard output may have no descriptor
        poller.register(sys.stdout.fileno(), zmq.POLLERR)
    return not poller.poll(0)
