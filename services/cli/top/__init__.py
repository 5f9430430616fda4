"""`tickflag top`: the overview and the traders in the terminal, live.

In: figures and answers of a running engine, keys, the size of the terminal. Out: frames.
"""
