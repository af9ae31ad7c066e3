"""What the authority decides: plain objects and functions without clock, database, network or `await`."""
