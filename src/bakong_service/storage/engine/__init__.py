"""How operations run on SQLite and PostgreSQL: executors, connections, types of columns, and errors."""
