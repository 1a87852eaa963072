"""What a document is: its expectation, its seams, and what its next round asks."""
