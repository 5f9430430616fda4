"""Commands on traders: list, switch and check them, begin a new one, see what fails.

In: a trader's name or file. Out: tables, findings, new files.
"""
