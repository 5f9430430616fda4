"""The wire: every message, its frames, every socket, requests and their answers.

In: typed messages. Out: frames on ZeroMQ sockets, and the same messages on the other side, checked.
"""
