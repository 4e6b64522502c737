"""Tables and query functions over a SQLAlchemy Core connection: rows in, domain objects out. SQLite and PostgreSQL."""
