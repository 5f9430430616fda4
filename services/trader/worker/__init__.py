"""The worker process: one trader, or those of a group, at work.

In: launch specs, swap events, control state. Out: results, heartbeats, faults and audits.
"""
