"""The command line: every command a few lines over the rooms below; `commands` puts them together."""
