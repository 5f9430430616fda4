"""The dashboard over HTTP and WebSocket.

In: requests of browsers and programs, admitted by address and token. Out: pages, JSON, lists, and frames of the hub.
"""
