"""YAML text from outside: what is no plain value of a reasonable size is refused in one line."""

from __future__ import annotations

import pytest

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.yaml_text import parse_yaml


def laughs(levels: int) -> str:
    """Return a text of aliases, each of which stands for nine of the level before."""
    lines = ["a: &a0 [x]"]
    for level in range(1, levels + 1):
        lines.append(f"b{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]")
    return "\n".join(lines)


def test_values_are_those_of_yaml() -> None:
    assert parse_yaml("a: 1\nb: [x, 2.5, null, true]", "it") == {
        "a": 1,
        "b": ["x", 2.5, None, True],
    }
    assert parse_yaml("", "it") is None
    shared = parse_yaml("a: &x [1]\nb: *x", "it")
    assert shared == {"a": [1], "b": [1]}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2001-99-99", "month must be"),
        ("0b_", "invalid literal"),
        ("!!int x", "invalid literal"),
        ("!!python/object:os.system x", "could not determine a constructor"),
        ("a: [", "flow node"),
        ("[" * 20000 + "]" * 20000, "nested too deeply"),
        ("a: [x, " + "[{" * 20000, "nested too deeply"),
        (laughs(10), "more than 65536 values"),
        ("&a [*a]", "more than 65536 values"),
        ("x" * 2**21, "longer than 1048576"),
        ("{[a]: b}", "unhashable"),
        ("a: \x1b]0;title\x07b", "special characters are not allowed"),
    ],
    ids=lambda value: value[:20],
)
def test_other_text_is_refused_in_one_line(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        parse_yaml(text, "mine.yaml")
    message = str(refused.value)
    assert message.startswith("mine.yaml cannot be read as YAML")
    assert "\n" not in message and "\x1b" not in message and len(message) < 400
