"""Training of the small models, whose weights come with the package."""
