"""Results of chapters as files and tables, and published numbers."""
