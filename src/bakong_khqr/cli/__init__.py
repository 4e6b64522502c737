"""The command line `khqr`. Each noun has a file, and `app.py` lists the commands."""
