"""The feed: the only writer of the segment. Takes ticks and candles from a source, swaps, announces."""
