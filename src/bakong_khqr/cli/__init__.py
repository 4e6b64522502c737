"""The command line `khqr`, one file a noun; `app.py` lists the commands."""
