"""Traders: a supervisor with one worker process per plugin, which processes only the flagged symbols."""
