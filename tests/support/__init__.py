"""What several kinds of tests need: a house in a temporary folder, and a clock that runs ahead."""
