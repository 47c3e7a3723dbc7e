"""Fill in the texts of ``templates/``; every value goes through a quoting filter."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = Path(__file__).parent


def templates_folder() -> Path:
    """Return where the templates are: inside the installed package, or beside it in a checkout."""
    packaged = _PACKAGE / "_templates"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "templates"


def read_template(name: str) -> str:
    """Return a template's text as it stands, for those that have nothing to fill in."""
    return (templates_folder() / name).read_text("utf-8")


def read_base_dockerfile() -> str:
    """Return ``Dockerfile.base``, which stands at the top of a checkout."""
    packaged = templates_folder() / "Dockerfile.base"
    return (packaged if packaged.exists() else _PACKAGE.parent / "Dockerfile.base").read_text("utf-8")


def fill_template(name: str, /, **values: object) -> str:
    """Render a template; a name that it uses and ``values`` lacks is an error."""
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(templates_folder()),
        undefined=StrictUndefined,
        # A page of HTML escapes everything; elsewhere each value says how it is to be quoted.
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shell"] = shlex.quote
    environment.filters["exec_form"] = lambda words: json.dumps(list(words))
    environment.filters["env_value"] = _quote_env_value
    # What is escaped already is not to be escaped again.
    mark_safe = environment.filters["safe"]
    environment.filters["xml"] = lambda text: mark_safe(escape(str(text)))
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters["md"] = _quote_markdown
    environment.filters["md_code"] = _quote_code
    environment.filters["md_cell"] = lambda text: _quote_code(text).replace("|", "\\|")
    environment.filters["md_fence"] = _fence_lines
    environment.filters["comment"] = lambda text: " ".join(str(text).split())
    return environment


def _quote_env_value(text: str) -> str:
    """Quote for a Dockerfile's ENV: double quotes, with what the builder would expand made literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def _quote_markdown(text: str) -> str:
    """Make every character that Markdown, or HTML in it, could take for more than itself stand for itself."""
    escaped = re.sub(r"([\\`*_{}\[\]<>#|~&!$])", r"\\\1", " ".join(str(text).splitlines()))
    # A bare address becomes a link, a number with a full stop or a dash at the start a list.
    escaped = re.sub(r"(?i)\b(https?|ftp|mailto):|\bwww\.", lambda match: f"{match[0][:-1]}\\{match[0][-1]}", escaped)
    return re.sub(r"^(\s*)([-+=])|^(\s*\d+)([.)])(?=\s|$)", r"\1\3\\\2\4", escaped)


def _quote_code(text: str) -> str:
    """Return a code span."""
    text = " ".join(str(text).splitlines())
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest or not text.strip() else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def _fence_lines(lines: Iterable[str]) -> str:
    """Return a code block that nothing in it can end."""
    text = "\n".join(" ".join(str(line).splitlines()) for line in lines)
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return f"{fence}text\n{text}\n{fence}"
