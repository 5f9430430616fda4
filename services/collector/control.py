"""ControlState: what the collector wants of the traders, as a versioned document."""

from typing import Any

from tickflag.common.wire.messages import Control
from tickflag.services.collector.views.resync_requests import ResyncRequests


class ControlState:
    """The document behind `Control` messages. Pure; one thread.

    The version grows with every change. The owner journals a version before it publishes the document, and the next
    life begins above the journalled version. So no version ever stands for two contents.
    """

    def __init__(self, journalled_version: int = 0) -> None:
        self.version = journalled_version + 1  # the tokens of a former life are gone, which is a change
        self.resync = ResyncRequests(self._next_version)
        self.features: dict[str, Any] = {}
        """Feature flag -> its rule, where the rule is not as in the catalog."""
        self._incarnations: dict[str, int] = {}
        self._modes: tuple[list[str], dict[str, int], dict[str, int]] = ([], {}, {})

    def set_features(self, features: dict[str, Any]) -> None:
        """Set the rules that apply from now on; setting the same rules again is no change."""
        if features != self.features:
            self.features = features
            self._next_version()

    def set_modes(self, process_all: list[str], quarantined: dict[str, int], fresh: dict[str, int]) -> None:
        """Set what recovery wants of the traders, as in the message; setting the same again is no change."""
        if self._modes != (process_all, quarantined, fresh):
            self._modes = (process_all, quarantined, fresh)
            self._next_version()

    def set_incarnations(self, incarnations: dict[str, int]) -> None:
        """Set the known incarnations of the traders whose messages are ignored; setting the same again is no change."""
        if incarnations != self._incarnations:
            self._incarnations = dict(incarnations)
            self._next_version()

    def document(self, time_ms: int) -> Control:
        """The control message, as of `time_ms` UTC."""
        process_all, quarantined, fresh = self._modes
        return Control(
            state_version=self.version,
            time_ms=time_ms,
            resync=dict(self.resync.tokens),
            features=dict(self.features),
            process_all=process_all,
            quarantined=quarantined,
            fresh=fresh,
            incarnations=self._incarnations,
        )

    def _next_version(self) -> int:
        self.version += 1
        return self.version
