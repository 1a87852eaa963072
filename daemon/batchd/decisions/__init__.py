"""Pure functions from values to values: no await, no clock, no disk."""
