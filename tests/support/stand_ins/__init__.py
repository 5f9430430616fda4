"""What stands in for a clock, a log, a provider or compiled code, and generated messages."""
