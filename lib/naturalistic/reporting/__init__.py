"""Reporting: results of chapters as files, tables and sentences, and published numbers beside them."""
