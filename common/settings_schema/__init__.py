"""The blocks of the settings, one file a service.

In: plain values of files, environment and arguments. Out: frozen, checked blocks; an unknown key is refused.
"""
