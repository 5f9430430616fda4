"""The update protocol as a set of choices: `Protocol()` is the true one, each field that is set is one wrong turn."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Protocol:
    """The wrong turns taken; with none of them the protocol is that of the design."""

    # Writer: closing a cycle.
    returns_cleared_buffer: bool = False
    """The flags offered are those of the buffer about to be cleared, not of the one just filled."""
    clears_before_invalidating: bool = False
    """Bits are cleared while their stamp still says that they are whole; a missing fence between the two allows the
    same."""
    never_invalidates: bool = False
    """The stamp of a buffer stays until the next one replaces it."""
    clears_after_opening: bool = False
    """Updates of the new cycle begin before its buffer has been cleared."""
    stamps_parity: bool = False
    """The stamp is the index of the buffer instead of the cycle number, which only grows."""
    sends_before_closing: bool = False
    """The swap event goes out before `closed` has moved."""
    waits_for_reader: bool = False
    """A buffer is cleared only when the reader has finished with it."""

    # Writer: an update. A swap may come anywhere after the flag, as a timer would make it, or a missing release.
    flags_before_row: bool = False
    """The flag is set before the version has become odd."""
    flags_while_odd: bool = False
    """The flag is set after the version has become odd and before it is even again."""
    counts_after_flag: bool = False
    """A new symbol is flagged before it is counted."""
    takes_announced_flag: bool = False
    """A flag that stands in the announced buffer, not in the open one, is taken as this update's."""
    forgets_deferred: bool = False
    """Deferred announcements are dropped when the rate limit is switched off."""

    # Writer: a new generation.
    drops_deferred_at_switch: bool = False
    """Deferred announcements are dropped when the generation is left."""
    publishes_before_copying: bool = False
    """`current` names the new generation before the rows have been copied into it."""

    # Reader: events and the fast path.
    never_wakes_alone: bool = False
    """Only an event starts a pass."""
    misses_gaps: bool = False
    """The fast path is taken for any newer cycle, not only for the next one."""
    takes_old_events: bool = False
    """An event of a covered cycle is treated as if its cycle were the next."""
    ignores_generation: bool = False
    """Events of another generation start a pass."""
    skips_first_look: bool = False
    """The stamp is not read before the words are copied."""
    skips_second_look: bool = False
    """The stamp is not read again after the words have been copied."""

    # Reader: the exact path.
    counts_from_event: bool = False
    """The symbol count is that of the event, not that of the header."""
    counts_before_closed: bool = False
    """The symbol count is read before `closed`."""
    closed_after_scan: bool = False
    """`closed` is read after the scan."""
    done_from_event: bool = False
    """The exact path moves `done` to the cycle of its event; without an event `done` stays."""

    # Reader: rows.
    remembers_cycles: bool = False
    """A symbol's cycle is remembered and compared instead of its version."""
    skips_seqlock: bool = False
    """A row is used without a look at its version after the copy."""
    skips_odd_rows: bool = False
    """A row being written counts as unchanged."""
    spins_on_odd_row: bool = False
    """The reader waits until the row is even."""
    rereads_version: bool = False
    """`seen` gets the version found at the commit, not that of the copy."""

    # Reader: commit and attach.
    forgets_retry: bool = False
    """A symbol whose copy failed is not put into the retry set."""
    overwrites_retry: bool = False
    """The fast path does not include the retry set, and its commit replaces the set."""
    forgets_timer: bool = False
    """A retry set does not wake the reader."""
    forgets_failure: bool = False
    """The pass after a failed evaluation may take the fast path."""
    commits_before_evaluation: bool = False
    """`seen`, `done` and the retry set move although the evaluation failed."""
    never_reattaches: bool = False
    """`current` is read only once."""
    keeps_seen_at_attach: bool = False
    """The versions seen in the old generation are compared with those of the new one."""
    attaches_at_closed: bool = False
    """A reader starts with `done` at `closed`, as if it had processed everything before."""

    def stamp_of(self, cycle: int) -> int:
        """The stamp of a buffer filled in `cycle`; 0 is the stamp of no cycle."""
        return cycle % 2 + 1 if self.stamps_parity else cycle

    def read_buffer(self, cycle: int) -> int:
        """The buffer on offer after `cycle` was closed."""
        return (cycle + 1) % 2 if self.returns_cleared_buffer else cycle % 2
