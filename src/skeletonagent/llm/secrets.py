"""Keep keys out of whatever is shown, recorded or stored."""

from __future__ import annotations

import os
import re

_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST = 6
"""A value shorter than this is a placeholder such as ``none``, not a secret."""


def without_secrets(text: str) -> str:
    """Return a text with every value masked that the environment holds under a secret's name."""
    values = {
        value.strip()
        for name, value in os.environ.items()
        if _NAME.search(name) and len(value.strip()) >= _SHORTEST
    }
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    return text
