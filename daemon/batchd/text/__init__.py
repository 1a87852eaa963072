"""What is true of any text: JSON, Markdown, marks and titles, paths and patterns."""
