"""Other machines: encrypted sockets for the keys of a folder.

In: requests of known keys. Out: the answers, and the signal feed.
"""
