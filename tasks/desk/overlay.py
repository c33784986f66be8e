"""Flower's own templates with our two insertions: the navigation item with its search, and our style sheet.

Flower has no plugin interface. An upgrade that moves an anchor fails when the page is first rendered, and the test
that renders it fails before that.
"""

from pathlib import Path

from tornado.template import Loader, Template

OURS = Path(__file__).parent / "templates"

SECONDARY = '<ul class="app-nav app-nav-secondary navbar-nav'
ITEM, SEARCH = '{% include "desk-item.html" %}', '{% include "desk-search.html" %}'
STYLE = '<link href="{{ reverse_url("desk-static", "desk.css") }}" rel="stylesheet">'

INSERTIONS = {
    "navbar.html": (f'</ul>\n\n      {SECONDARY} ms-lg-auto">', f'{ITEM}</ul>\n{SEARCH}{SECONDARY}">'),
    "base.html": ("</head>", f"{STYLE}\n</head>"),
}
"""Template of Flower's to (anchor, what takes its place)."""


class UnknownFlower(RuntimeError):
    """This Flower's templates are not the ones we know; the text names the template."""


class OverlayLoader(Loader):
    """Our templates first, then Flower's."""

    def _create_template(self, name: str) -> Template:
        ours = OURS / name
        path = ours if ours.exists() else Path(self.root, name)
        source = path.read_text(encoding="utf-8")
        if name in INSERTIONS and path is not ours:
            source = _inserted(name, source)
        return Template(source, name=name, loader=self)


def _inserted(name: str, source: str) -> str:
    anchor, replacement = INSERTIONS[name]
    if source.count(anchor) != 1:
        raise UnknownFlower(f"{name} of this Flower has its anchor {source.count(anchor)} times: adapt {__name__}")
    return source.replace(anchor, replacement)
