"""`tickflag replay` and what it shows.

In: recordings and traders. Out: signals, tables, lines of JSON, report and chart files.
"""
