"""A Sphinx math renderer that writes MathML, which browsers draw without a script and without a network."""

from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number


def visit_inline(self, node):
    self.body.append(convert(node.astext()))
    raise_skip()


def visit_block(self, node):
    number = ""
    if node["number"]:
        number = f'<span class="eqno">({get_node_equation_number(self, node)})'
        self.body.append(self.starttag(node, "div", CLASS="math-block", ids=node["ids"]) if node["ids"] else "<div>")
        self.body.append(number)
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    else:
        self.body.append('<div class="math-block">')
    self.body.append(convert(node.astext(), display="block") + "</div>\n")
    raise_skip()


def raise_skip():
    from docutils.nodes import SkipNode

    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
