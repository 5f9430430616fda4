"""Traders: a supervisor with one worker process per plugin, which processes only the flagged symbols.

In: trader files, the segment, swap events, control state. Out: results, heartbeats, faults, audits, the roster.
"""
