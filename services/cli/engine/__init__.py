"""Commands on the engine as a whole: start, status, logs, segment.

In: settings and a running engine. Out: processes, tables, JSON.
"""
