"""`tickflag dashboard`.

In: the token's file, and the address that the running dashboard tells. Out: a link.
"""
