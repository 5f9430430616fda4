"""Commands that follow the collector's feed.

In: a number to begin from. Out: signals and notices, each once and in order.
"""
