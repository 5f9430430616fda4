"""Where the market comes from. In: settings, a connection, a recording or a generator. Out: batches.

A source is one class; packages add their own as entry points in `tickflag.sources`.
"""
