"""What others do, set up as one would: each once, for all rows."""
