"""What the hub knows of the engine.

In: the segment, read-only, answers of the services, events of the collector. Out: figures, rows, histories.
"""
