"""The feed: the only writer of the segment. It applies what its source brings, swaps, and announces.

In: ticks and candles of a source, history, rate limits. Out: the segment's contents, and swap events.
"""
