"""Processes, threads, folders and deadlines of tests."""
