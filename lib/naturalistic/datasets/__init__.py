"""Data sets, opened as they are downloaded."""
