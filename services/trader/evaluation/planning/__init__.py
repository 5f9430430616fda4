"""Planning: which symbols a trader's next step must evaluate, and when that step is due.

In: the segment's channels, watch list, pace and references. Out: a plan, with the rows that the planner has read.
"""
