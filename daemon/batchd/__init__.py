"""batchd: files in, long documents out, through Claude's Message Batches API."""
