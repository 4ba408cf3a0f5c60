"""Trains the miniature's own small models; their weights come with the package."""
