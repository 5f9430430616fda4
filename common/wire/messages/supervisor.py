"""What the supervisor sends: which traders there are, and the state of each."""

from typing import Literal

from tickflag.common.wire.messages.record import Count, Message, Name, Record, Text


class RosterEntry(Record):
    """One trader as the supervisor sees it."""

    name: Name
    state: Literal["running", "restarting", "skipped", "stopped", "disabled", "quarantined"]
    """disabled: off until an operator enables it; its matches leave. quarantined: it failed too often."""
    pid: Count = 0
    restarts: Count = 0
    source: Text = ""
    reason: Text = ""
    """Why the trader, or a new version of it, is not running."""
    trader_version: Text = ""
    """The version of the code: of its package, else of its file's content."""
    log: Text = ""
    """Name of its log file, without `.log`."""
    settings: Text = ""
    """Digest of the settings of its own that it runs with; empty where it has none, or never ran."""


class Roster(Message):
    """All traders the supervisor knows. A trader that a complete roster does not name is gone for good."""

    kind: Literal["roster"] = "roster"
    pid: Count
    time_ms: Count
    traders: list[RosterEntry]
    complete: bool = True
    """True where every trader's name is known. Otherwise a trader may be missing as its name is not known yet."""
