"""The operator HTTP API: revoke, lift, look up, keys, clients. Guarded by our own access tokens."""
