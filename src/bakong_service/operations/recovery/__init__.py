"""What the command `recover` does after the database was restored from a backup."""
