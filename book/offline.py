"""What lets the pages work without a network: formulas that need no script, and no script from elsewhere."""

import re
from xml.etree import ElementTree

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)


def to_mathml(node, display):
    """Convert a formula; one that did not come out whole is a warning, and so fails the build."""
    formula = convert(node.astext(), display=display)
    left = re.findall(r"\\[a-zA-Z]+", formula)
    try:
        ElementTree.fromstring(formula)
    except ElementTree.ParseError as error:
        left.append(str(error))
    if left:
        logger.warning("the formula %s has parts that become no MathML: %s", node.astext(), left, location=node)
    return formula


def visit_inline(self, node):
    """Write a formula that stands in a line of text."""
    self.body.append(to_mathml(node, "inline"))
    raise SkipNode


def visit_block(self, node):
    """Write a formula that stands by itself, with its number and a link to it where it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math-block", ids=node.get("ids", [])))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(to_mathml(node, "block") + "</div>\n")
    raise SkipNode


def drop_thebe(app, page, template, context, doctree):
    """Take out the scripts that would run code on a server elsewhere: Jupyter Book adds them without being asked."""
    for kind in ("script_files", "css_files"):
        files = context.get(kind, [])
        files[:] = [f for f in files if "thebe" not in f"{f} {getattr(f, 'attributes', '')}".lower()]


def setup(app):
    """Tell Sphinx how formulas are written, and what is left out of pages."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
