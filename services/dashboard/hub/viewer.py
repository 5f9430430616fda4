"""Viewer: one who looks, as the hub sees it."""

from typing import Protocol

from tickflag.services.dashboard.hub.answer import Answer


class Viewer(Protocol):
    """Every method may be called from any thread, returns at once and never raises, also after the viewer has gone.

    The hub compares viewers by identity.
    """

    @property
    def trusted(self) -> bool:
        """Whether the viewer has the token."""

    def put(self, identity: int, answer: Answer) -> None:
        """Give the newest answer of a subscription; one that was not sent yet is dropped."""

    def refuse(self, identity: int, error: str) -> None:
        """Say in plain words why a subscription has no answer. The subscription goes on, unless it is unknown."""
