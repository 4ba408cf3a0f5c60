"""Numbers stay with their percent sign: no line of a page ends between them."""

import re

from docutils.nodes import FixedTextElement, Text, literal, math, raw

BLANK = re.compile(r"(?<=\d) (?=%)")
LEFT_ALONE = (FixedTextElement, literal, math, raw)  # code, formulas, HTML


def keep_percent_signs(app, doctree, page):
    """Put a blank that does not break between a number and its percent sign."""
    for text in list(doctree.findall(Text)):
        if not isinstance(text.parent, LEFT_ALONE) and BLANK.search(text):
            text.parent.replace(text, Text(BLANK.sub("\N{NO-BREAK SPACE}", text)))


def setup(app):
    """Tell Sphinx to treat each page when its links are known."""
    app.connect("doctree-resolved", keep_percent_signs)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
