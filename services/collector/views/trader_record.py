"""TraderRecord: one trader's view, and what else the collector knows of the trader."""

from typing import Literal, NamedTuple

from tickflag.common.units import NS_PER_S
from tickflag.common.wire.messages import Heartbeat, Progress
from tickflag.services.collector.views.view import View

RETRY_NS = 2 * NS_PER_S
REFUSED_FROM = 3  # ignored messages; one or two may have been on their way when the next worker began


class TraderChange(NamedTuple):
    """Something that happened to a trader, for the log."""

    trader: str
    what: Literal["new", "restarted", "gap", "synced", "stale", "live", "failing", "works", "retired", "ignored"]
    reason: str = ""


class TraderRecord:
    """One trader's view, and what else is known of the trader."""

    __slots__ = (
        "down", "fault", "fault_from_ns", "heard_ns", "heartbeat", "ignored", "listed", "progress", "retry_at_ns",
        "retry_ns", "stale", "view",
    )  # fmt: skip

    def __init__(self, view: View, listed: bool) -> None:
        self.view = view
        self.listed = listed
        """The trader was on a roster, or in the journal: a complete roster that does not name the trader retires it."""
        self.progress: Progress | None = None
        self.heartbeat: Heartbeat | None = None
        self.heard_ns: int | None = None
        """Monotonic time of its last message; None before the first."""
        self.stale = True
        """The trader does not report, so its matches may be out of date."""
        self.down = False
        """The trader or the supervisor said that this incarnation has ended."""
        self.fault = ""
        """Why the trader fails, as the log was told; empty while it works."""
        self.fault_from_ns = 0
        """When the log may be told of another fault."""
        self.retry_at_ns = 0
        self.retry_ns = RETRY_NS
        self.ignored = 0
        """Messages of another incarnation since the present one began."""

    def why_ignored(self) -> str:
        """Why messages of the trader are ignored; empty where nothing says that they are."""
        if self.ignored < REFUSED_FROM or not self.stale:
            return ""
        return f"its messages are ignored, as they are not of the incarnation known, {self.view.heard_incarnation}"
