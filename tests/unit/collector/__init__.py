"""Tests of the collector's parts, one by one."""
