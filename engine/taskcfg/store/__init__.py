"""The database behind our functions: SQLite and PostgreSQL alike."""
