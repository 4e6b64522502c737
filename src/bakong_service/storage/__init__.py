"""Tables and queries, on a SQLAlchemy Core connection to SQLite or PostgreSQL. Queries return domain objects."""
