"""The topics: what can be looked at, each with its arguments.

In: arguments, and what the hub knows. Out: answers.
"""
