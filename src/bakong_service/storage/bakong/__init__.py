"""Rows about Bakong: access, the day's budget, the token, and its clock."""
