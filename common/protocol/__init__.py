"""The update protocol: both halves of every fence pair side by side.

In: the segment's arrays. Out: closed cycles for the writer; whole rows of changed symbols for a reader.
"""
