"""The evaluation: from changed symbols to a trader's results. No socket, no process, no clock.

In: a segment, a plugin and a time. Out: snapshots and deltas of the match set.
"""
