"""Whole databases: their backups, the restores of these, and copies from SQLite to PostgreSQL or back.

contents.py             what a database holds, told in a few numbers
backing_up.py           a backup: a SQLite file, or an archive of pg_dump
restoring.py            a backup into an empty database
copying.py              a copy from one database to another, table by table
quiet.py                keeps everybody else from writing meanwhile
new_file.py             a file that gets its name when it is whole
sqlite_copy.py          SQLite's own way to copy a file that is written to
postgresql_programs.py  pg_dump and pg_restore
postgresql_session.py   one connection to PostgreSQL that holds a snapshot or a lock
"""
