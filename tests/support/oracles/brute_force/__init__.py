"""The market's rules once more, event by event, with dictionaries. Nothing of the engine is imported.

In: recordings. Out: the signals that the traders of `tests/support/markets/measuring_traders.py` must give.
"""
