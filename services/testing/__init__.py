"""Testing, for authors of traders: a market filled by hand, a trader that works on it, `tickflag check`, templates.

In: prices set by hand or generated, and a trader file. Out: its matches, and findings. It composes the cores of other
services, as a replay does. Importing it costs nothing, as pytest does so in every run.
"""
