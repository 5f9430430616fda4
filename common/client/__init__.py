"""For notebooks, scripts and followers: the running engine from outside.

In: a running engine, data frames. Out: data frames, signals in order, recordings.
"""
