"""The views: every trader's match set, rebuilt from its messages.

In: snapshots, deltas, heartbeats, rosters. Out: unnumbered signals, the record of each trader, requests for snapshots.
"""
