"""TraderState: whether a trader runs, and if not, which kind of stop that is."""

import enum


class TraderState(enum.Enum):
    """What the roster says of a trader."""

    RUNNING = "running"
    RESTARTING = "restarting"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    DISABLED = "disabled"
    QUARANTINED = "quarantined"


OFF = (TraderState.STOPPED, TraderState.DISABLED, TraderState.QUARANTINED)
"""The states of a trader that is not meant to run."""
