"""The command line `bakong-service`. Each noun has a file, and `app.py` lists the commands."""
