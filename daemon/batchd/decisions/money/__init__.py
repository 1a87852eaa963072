"""What a request can cost, and whether a budget has room for it."""
