"""Page on which a recognizer is tried, corrected and understood."""

from __future__ import annotations

from skeletonagent.page.files import CONTENT_SECURITY_POLICY, PAGE_HEADERS, page_files

__all__ = ["CONTENT_SECURITY_POLICY", "PAGE_HEADERS", "page_files"]
