"""ControlState: what the collector wants of the traders, one versioned document."""

from typing import Any

from common.messages import Control


class ControlState:
    """The document behind `Control` messages. Pure; one thread.

    Its version grows with every change. Whoever owns it journals the version before the document is published, and
    hands the journalled one to the next life: so no version ever stands for two contents.
    """

    def __init__(self, journalled_version: int = 0) -> None:
        self.version = journalled_version + 1  # the tokens of a former life are gone, which is a change
        self.resync: dict[str, int] = {}
        """Trader -> token of the snapshot that is wanted from it."""
        self.features: dict[str, Any] = {}
        """Feature flag -> its rule, of those that are not as the catalog has them."""
        self._modes: tuple[list[str], dict[str, int], dict[str, int]] = ([], {}, {})

    def want_resync(self, trader: str) -> int:
        """Ask for a snapshot, anew where one was asked for already; gives its token.

        A token is the version that brought it: unique over all lives of the journal, so an answer to an earlier
        request is never taken for the answer to this one.
        """
        self.version += 1
        self.resync[trader] = self.version
        return self.version

    def settle_resync(self, trader: str) -> None:
        """The snapshot came, or is not wanted any more."""
        if self.resync.pop(trader, None) is not None:
            self.version += 1

    def set_features(self, features: dict[str, Any]) -> None:
        """Other rules count from now on; the same ones are no change."""
        if features != self.features:
            self.features = features
            self.version += 1

    def set_modes(self, process_all: list[str], quarantined: dict[str, int], fresh: dict[str, int]) -> None:
        """What recovery wants of the traders, as in the message; the same again is no change."""
        if self._modes != (process_all, quarantined, fresh):
            self._modes = (process_all, quarantined, fresh)
            self.version += 1

    def document(self, time_ms: int) -> Control:
        process_all, quarantined, fresh = self._modes
        return Control(
            state_version=self.version,
            time_ms=time_ms,
            resync=dict(self.resync),
            features=dict(self.features),
            process_all=process_all,
            quarantined=quarantined,
            fresh=fresh,
        )
