"""The bytes: layout, ordered access, flags, symbols, and the mapped file itself.

In: a layout and a runtime folder. Out: typed arrays over shared memory, writable for the feed only.
"""
