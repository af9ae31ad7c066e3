"""What we build on: is every locked package what it says, and is any of them known to be vulnerable?

`python -m revocast.dev.audit` checks `uv.lock` without the network: against a copy of the advisories of the Python Packaging
Advisory Database that is part of the repository. `--refresh FOLDER` makes that copy anew from a checkout of the database.
`make audit` asks the network, too.
"""
