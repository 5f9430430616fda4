"""Which swap events a reader acts on."""

from .protocol import Protocol
from .state import Event, ModelReader


def is_heard(protocol: Protocol, reader: ModelReader, event: Event) -> bool:
    """Whether `event` starts a pass of the reader now; if not, the reader ignores it."""
    if event.generation != reader.generation and not protocol.ignores_generation:
        return False
    return event.cycle > reader.done or protocol.takes_old_events


def under_way(protocol: Protocol, reader: ModelReader, events: frozenset[Event]) -> frozenset[Event]:
    """The events worth keeping. An event that the reader would ignore now and for ever may as well be gone."""
    return frozenset(
        event for event in events if event.generation > reader.generation or is_heard(protocol, reader, event)
    )
