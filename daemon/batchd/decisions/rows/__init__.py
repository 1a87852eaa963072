"""Rows: one prompt for many things, what each of them says, and the table that comes back."""
