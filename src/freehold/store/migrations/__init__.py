"""Alembic migrations of the record, oldest first in `versions/`."""
