"""Which requests travel together, whose batch it is, and how long to wait."""
