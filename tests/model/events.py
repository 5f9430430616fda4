"""Which swap events a reader acts on."""

from .protocol import Protocol
from .state import Event, Reader


def is_heard(protocol: Protocol, reader: Reader, event: Event) -> bool:
    """Whether the reader starts a pass by `event` now; if not, it ignores it."""
    if event.generation != reader.generation and not protocol.ignores_generation:
        return False
    return event.cycle > reader.done or protocol.takes_old_events


def under_way(protocol: Protocol, reader: Reader, events: frozenset[Event]) -> frozenset[Event]:
    """The events worth keeping: one the reader would ignore now and for ever may as well be gone."""
    return frozenset(
        event for event in events if event.generation > reader.generation or is_heard(protocol, reader, event)
    )
