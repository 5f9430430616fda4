"""`tickflag check`: checks a trader against its contract, in a process of its own.

In: a trader file. Out: findings, and the trader's cost.
"""
