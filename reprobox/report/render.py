"""Document -> Markdown and HTML: one template each, whatever the language."""

from __future__ import annotations

from reprobox import __version__
from reprobox.languages import Language
from reprobox.report.document import Document
from reprobox.templating import fill_template


def format_markdown(document: Document, language: Language) -> str:
    """Return ``report.<language>.md``."""
    return fill_template("report/report.md.j2", document=document, text=language, version=__version__)


def format_html(document: Document, language: Language) -> str:
    """Return ``report.<language>.html``: one file that needs no other and no script."""
    return fill_template("report/report.html.j2", document=document, text=language, version=__version__)
