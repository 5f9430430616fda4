"""Recordings: what their rows must hold, and how they are written. Reading them is the feed's.

In: tables of ticks or klines from any file or data frame. Out: checked rows, and Parquet files of them.
"""
