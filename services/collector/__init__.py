"""The collector: rebuilds every trader's match set, journals and publishes what changes, takes operators' commands.

In: results, heartbeats, faults, rosters, requests. Out: the signal feed, the control state, answers, metrics.
"""
