"""The hub: one thread that looks at the engine for all who look at the dashboard.

In: subscriptions, single requests and commands. Out: answers, each computed once for all who asked the same.
"""
