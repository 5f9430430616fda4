"""The dashboard: what the engine does, in a browser and for programs.

In: the segment, read-only, and the services' answers. Out: pages, JSON and WebSocket frames for viewers, commands for
the services.
"""
