"""The supervisor: decides which traders run and in which worker processes, and starts again what ends.

In: trader files, settings, operators' commands, recovery orders. Out: worker processes, roster, faults.
"""
