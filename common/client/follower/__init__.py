"""Following the collector: match sets, signals and notices, each once and in order, over every restart.

In: the signal feed, pages of the journal, snapshots. Out: events, each with the place after it.
"""
