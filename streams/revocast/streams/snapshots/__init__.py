"""Snapshots: the table at a cut of the log, written for readers that start and for logs that were truncated."""
