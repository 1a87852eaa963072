"""Decisions about notices: who is told, how it is said, when it is tried again."""
