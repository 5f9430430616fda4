"""The `tickflag` command. The module of a subcommand is imported when the subcommand is used.

In: arguments, settings, the answers of a running engine. Out: tables or JSON, files, and an exit code.
"""
