"""Fill in the texts of ``templates/``; every value goes through a quoting filter."""

from __future__ import annotations

import json
import shlex
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
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(templates_folder()),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shell"] = shlex.quote
    environment.filters["exec_form"] = lambda words: json.dumps(list(words))
    environment.filters["env_value"] = _quote_env_value
    environment.filters["xml"] = lambda text: escape(str(text))
    environment.filters["comment"] = lambda text: " ".join(str(text).split())
    return environment


def _quote_env_value(text: str) -> str:
    """Quote for a Dockerfile's ENV: double quotes, with what the builder would expand made literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'
