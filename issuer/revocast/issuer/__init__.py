"""The authority: OAuth 2.0 issuer, signed revocation log, key lifecycle. Start at `service` and `relay`."""
