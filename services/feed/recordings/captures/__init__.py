"""Captures of a venue's messages. In: lines, one message each, with the time of receipt.

Out: a recording of ticks and candles.
"""
