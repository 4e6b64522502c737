"""The command line `bakong-service`, one file a noun; `app.py` lists the commands."""
