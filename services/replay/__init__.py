"""Replay: recordings through the feed's market, the traders' runners and the collector's views, in lock-step.

The one place that composes the cores of other services; nobody but the command line imports it.
"""
