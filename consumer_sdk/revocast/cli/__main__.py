"""`python -m revocast.cli`: the `revocast` command."""

from revocast.cli import main

main()
