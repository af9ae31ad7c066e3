"""The reference documents that are written from the code, and the check that no link in the docs is dead."""
