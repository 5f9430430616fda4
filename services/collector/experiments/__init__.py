"""Experiments: the arms of feature flags side by side, and what tracking saves.

In: rules, heartbeats, results, audits. Out: estimates with their intervals.
"""
