"""The `tickflag` command."""
