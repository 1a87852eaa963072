"""What may be dropped: from the bytes of a job file to checked requests."""
