"""A bundle of several steps: an outline, a request for each of its entries, a join of their answers."""
