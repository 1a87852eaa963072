"""How everything stands, as data: one form for `--json` and for the page, over what the store has read."""
