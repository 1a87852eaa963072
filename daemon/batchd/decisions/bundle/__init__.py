"""What a folder `NAME.job` asks for: one prompt, and the data beside it."""
