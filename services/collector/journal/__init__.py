"""The journal: what must survive the process, in an SQLite file and a write-ahead log.

In: signals, notices, documents, positions. Out: the same by number, also after a crash.
"""
