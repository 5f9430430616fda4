"""Every message on the wire, a frozen type each, in one file for each kind of sender.

In: unchecked values. Out: typed values, and the same values as arrays.
"""

from tickflag.common.wire.messages.collector import Control, Notice, Notices, Signal, Signals
from tickflag.common.wire.messages.feed import SwapEvent
from tickflag.common.wire.messages.record import (
    NAME_LIMIT,
    NOTE_LIMIT,
    STACK_LIMIT,
    Count,
    Message,
    Name,
    Note,
    Notes,
    Record,
    Scores,
    Stack,
    Text,
)
from tickflag.common.wire.messages.requests import Reply, Request
from tickflag.common.wire.messages.supervisor import Roster, RosterEntry
from tickflag.common.wire.messages.worker import (
    INCARNATION_LEAP,
    Audit,
    Delta,
    Fault,
    FaultKind,
    Heartbeat,
    Progress,
    Result,
    Snapshot,
)

AnyMessage = (
    SwapEvent | Snapshot | Delta | Heartbeat | Fault | Audit | Roster | Control | Signals | Notices | Request | Reply
)

__all__ = [
    "INCARNATION_LEAP",
    "NAME_LIMIT",
    "NOTE_LIMIT",
    "STACK_LIMIT",
    "AnyMessage",
    "Audit",
    "Control",
    "Count",
    "Delta",
    "Fault",
    "FaultKind",
    "Heartbeat",
    "Message",
    "Name",
    "Note",
    "Notes",
    "Notice",
    "Notices",
    "Progress",
    "Record",
    "Reply",
    "Request",
    "Result",
    "Roster",
    "RosterEntry",
    "Scores",
    "Signal",
    "Signals",
    "Snapshot",
    "Stack",
    "SwapEvent",
    "Text",
]
