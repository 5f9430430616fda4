"""The study: what a replay's signals were worth.

In: cycles, prices and signals. Out: digests, price lines, charts and report files.
"""
