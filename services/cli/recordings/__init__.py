"""Commands that make recordings.

In: CSV and Parquet files, packed ones and archives too. Out: a recording.
"""
