"""`revocast revoke-many`: a file of revocations, sent in parts."""
