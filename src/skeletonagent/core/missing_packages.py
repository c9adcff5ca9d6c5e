"""Packages that the small distribution leaves out, and what to type where one is needed."""

from __future__ import annotations

from skeletonagent.core.errors import ConfigError

_LEFT_OUT = {
    "torch": "PyTorch",
    "tokenizers": "tokenizers",
    "wordllama": "wordllama",
    "pydantic_ai": "pydantic-ai-slim",
    "genai_prices": "genai-prices",
    "httpx2": "httpx2",
    "jinja2": "Jinja2",
    "markupsafe": "MarkupSafe",
    "scipy": "SciPy",
}
"""Names of packages by the modules that are imported."""


def explained(error: ModuleNotFoundError) -> Exception:
    """Return what to raise for a module that is not there: with the line to type, if it is known.

    Args:
        error: What the import raised.
    """
    package = _LEFT_OUT.get((error.name or "").partition(".")[0])
    if package is None:
        return error
    return ConfigError(
        f"this needs {package}, which is not installed: skeletonagent-onnx has what predictions "
        "by exported files need; for all else, pip install skeletonagent"
    )
