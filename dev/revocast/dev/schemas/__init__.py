"""Generates the committed JSON Schemas and test vectors from the models: `python -m revocast.dev.schemas [--check]`."""
