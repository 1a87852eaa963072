"""What is made of batchd for those who have no checkout."""
