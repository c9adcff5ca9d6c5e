"""Turn the roles of docstrings, such as ``:class:`~package.Name` ``, into links of the site."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr):`(~?)([\w.]+)`")


class Roles(Extension):
    """Rewrite the docstrings of all objects as they are loaded."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Make links of what a docstring names in full, and code of the rest."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(_link, obj.docstring.value)


def _link(role: re.Match[str]) -> str:
    short, name = role.groups()
    shown = name.rpartition(".")[2] if short else name
    return f"[`{shown}`][{name}]" if name.startswith("skeletonagent.") else f"`{shown}`"
