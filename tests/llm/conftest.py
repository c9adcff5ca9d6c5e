from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The server is also a program, so it stands by itself; tests know it as a module of this name.
_SPEC = importlib.util.spec_from_file_location("chat_server", Path(__file__).with_name("server.py"))
chat_server = importlib.util.module_from_spec(_SPEC)
sys.modules["chat_server"] = chat_server
_SPEC.loader.exec_module(chat_server)

from skeletonagent.agents import prompts  # noqa: E402 - they need the server's module first
from skeletonagent.core.dialogue import Exchange, Question, Step  # noqa: E402
from skeletonagent.core.layout import COCO_17  # noqa: E402
from skeletonagent.llm.chats.provider import ProviderChat  # noqa: E402
from skeletonagent.llm.settings import LanguageModel  # noqa: E402


@pytest.fixture
def server() -> Iterator[chat_server.Server]:
    with chat_server.Server() as running:
        yield running


@pytest.fixture
def connect(server: chat_server.Server) -> Callable[..., ProviderChat]:
    """Return a maker of chats with the server, which never really wait between attempts."""

    def made(budget: object = None, sleep: object = None, **settings: object) -> ProviderChat:
        settings = {"model": "model", "base_url": server.url, "timeout": 5.0, **settings}
        return ProviderChat(LanguageModel(**settings), budget, sleep or (lambda seconds: None))

    return made


@pytest.fixture
def ask_about() -> Callable[..., Question]:
    """Return a maker of questions; the one that distinguishes has a rival."""

    def made(step: Step = Step.OVERVIEW, action: str = "wave", round_number: int = 0) -> Question:
        rivals = ("clap",) if step is Step.DISTINGUISH else ()
        return prompts.question(step, action, COCO_17, rivals, round_number=round_number)

    return made


@pytest.fixture
def listed(ask_about: Callable[..., Question]) -> tuple[Exchange, ...]:
    """Return a history in which the joints' labels were listed, as before JOINT_DETAILS."""
    return (Exchange(ask_about(Step.CRITICAL_JOINTS), "6, 8, 10"),)
