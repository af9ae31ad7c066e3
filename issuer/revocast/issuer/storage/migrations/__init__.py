"""Alembic's environment, packaged so that `revocast init` and every start can migrate."""
