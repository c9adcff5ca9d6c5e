"""Masking of secrets of the environment in text, however a server repeats them."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache

_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_SHORTEST_SECRET = 6
"""Shortest secret, in characters; anything shorter is a placeholder such as ``none``."""


def without_secrets(text: str) -> str:
    """Return a text with the values of all secret environment variables masked.

    A value is found as it is, in letters of any case, with characters escaped as in JSON, in
    addresses and in HTML, and in base64 and hexadecimal digits.
    """
    values = {
        value.strip()
        for name, value in os.environ.items()
        if _SECRET_NAME.search(name) and len(value.strip()) >= _SHORTEST_SECRET
    }
    for value in sorted(values, key=len, reverse=True):
        text = _pattern(value).sub("***", text)
    return text


@lru_cache(maxsize=64)
def _pattern(secret: str) -> re.Pattern[str]:
    """Return the pattern of all forms of a secret."""
    escaped = "".join(map(_character, secret))
    return re.compile("|".join([f"(?i:{escaped})", *map(re.escape, _encoded(secret))]))


def _character(character: str) -> str:
    """Return the pattern of a character and its escapes, which may be escaped again."""
    code, slashes, zeros = ord(character), r"\\{0,8}", "0{0,6}"
    percent = "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in character.encode("utf-8", "replace"))
    forms = [
        slashes + re.escape(character),
        rf"{slashes}[ux]{zeros}{code:x}",
        percent,
        f"&#(?:{zeros}{code}|x{zeros}{code:x});",
    ]
    return f"(?:{'|'.join(forms)})"


def _encoded(secret: str) -> Iterator[str]:
    """Yield what a secret becomes in base64, wherever it stands in a text, and in hexadecimal."""
    data = secret.encode("utf-8", "replace")
    for before in range(3):
        digits = b64encode(bytes(before) + data).decode().rstrip("=")
        # The first and the last digit depend on what stands beside the secret as well.
        first = -(-8 * before // 6)
        last = (8 * (before + len(data))) // 6
        yield digits[first:last]
        yield digits[first:last].translate(str.maketrans("+/", "-_"))
    yield data.hex()
    yield data.hex().upper()
