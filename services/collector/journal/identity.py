"""Which journal id a life of the journal has: that of the former life, or a new one where something is missing."""

import secrets
from pathlib import Path
from typing import NamedTuple

from tickflag.services.collector.journal.mark import JournalMark, boot_id
from tickflag.services.collector.journal.tables import Contents, Identity

LEAP = 1_000_000  # over numbers that may have been given out, where nothing says how many these were


class Found(NamedTuple):
    """What the files hold once the log was read."""

    tables: Contents
    last_seq: int
    last_notice: int
    log_fault: str
    """Why the log ends where it does; empty where nothing is wrong with it."""
    damage: str = ""
    """Why the tables were set aside and these are new ones; empty where they are those of the former life."""


class Begun(NamedTuple):
    """How a life of the journal begins."""

    identity: Identity
    new: bool
    """The tables do not have this identity yet."""
    loss: str
    """Why this id is another one than before; empty where it is not."""
    former_id: str


def begun(path: Path | str, found: Found, mark: JournalMark) -> Begun:
    """The identity to go on with. A new one begins above all numbers that may have been given out."""
    tables, former = found.tables, mark.former
    untouched = former is None and not (mark.damaged or found.damage)
    if tables.identity is None and untouched:  # nothing yet, or a journal of an older program
        return Begun(_new(tables.first_seq - 1, 0), True, "", "")
    loss = _loss(path, found, mark)
    if not loss and tables.identity is not None:
        return Begun(tables.identity, False, "", tables.identity.journal_id)
    if former is None:
        after, after_notice = found.last_seq + LEAP, found.last_notice + LEAP
        former_id = tables.identity.journal_id if tables.identity else ""
    else:
        after, after_notice = max(found.last_seq, former.reserved), max(found.last_notice, former.reserved_notice)
        former_id = former.journal_id
    return Begun(_new(after, after_notice), True, loss, former_id)


def _new(after: int, after_notice: int) -> Identity:
    return Identity(secrets.token_hex(16), after, after_notice)


def _loss(path: Path | str, found: Found, mark: JournalMark) -> str:
    """What of the former life is missing, or may be; empty where all is there."""
    tables, former = found.tables, mark.former
    if found.damage:
        return found.damage
    if former is None:
        return f"{path}-mark {'is damaged' if mark.damaged else 'was missing'}"
    if tables.fresh:
        return f"{path} was missing"
    other = tables.identity is None or tables.identity.journal_id != former.journal_id
    if other or found.last_seq > former.reserved or found.last_notice > former.reserved_notice:
        return f"{path} and {path}-mark do not belong together"
    if found.last_seq < former.newest:
        cause = found.log_fault or f"{path}, its -wal or its -tail is not as it was written"
        return f"signals {found.last_seq + 1:,} to {former.newest:,} are lost: {cause}"
    if found.last_notice < former.newest_notice:
        return (
            f"notices {found.last_notice + 1:,} to {former.newest_notice:,} are lost: {path} is not as it was written"
        )
    same_run = former.boot_id != "" and former.boot_id == boot_id()
    if not (former.orderly or former.durable or same_run):
        return "the machine went down while the collector ran, so the last signals may be lost"
    return ""
