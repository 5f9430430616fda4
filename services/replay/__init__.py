"""Replay: plays recordings through the feed's market, the traders' runners and the collector's views, in lock-step.

In: settings, recordings and plugins. Out: signals, summaries and comparisons. It composes the cores of other services.
"""
