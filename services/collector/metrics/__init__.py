"""Metrics: what the collector knows, for Prometheus.

In: views, journal, control state, recovery. Out: a page over HTTP.
"""
