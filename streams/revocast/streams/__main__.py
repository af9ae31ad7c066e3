"""`python -m revocast.streams` runs one worker, as `revocast serve streams` does."""

from revocast.streams.commands import serve

serve()
