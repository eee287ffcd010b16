"""The state's tables, version by version (Alembic)."""
