"""Lets Sphinx read pages by several cores at once."""


def declare_safe(app):
    """Declare safe what only numbers the chapters when all pages were read, and does not say so itself."""
    app.extensions["sphinx_multitoc_numbering"].parallel_read_safe = True


def setup(app):
    """Tell Sphinx to ask when all extensions are there."""
    app.connect("builder-inited", declare_safe)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
