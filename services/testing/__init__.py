"""Testing: what a trader's author tests with: a market filled by hand, a trader at it, `tickflag check`, templates.

Composes the cores of other services as a replay does. Importing it costs nothing: pytest does so in every run.
"""
