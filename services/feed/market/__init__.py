"""The writer: ticks and candles of a batch into rows, candles and flags.

In: batches and a time. Out: the segment's contents, and the closed cycles of a swap.
"""
