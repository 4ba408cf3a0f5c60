"""A Sphinx math renderer that writes MathML, which browsers draw without a script and without a network."""

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
    self.body.append(to_mathml(node, "inline"))
    raise SkipNode


def visit_block(self, node):
    self.body.append(self.starttag(node, "div", CLASS="math-block", ids=node.get("ids", [])))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(to_mathml(node, "block") + "</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
