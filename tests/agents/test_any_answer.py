"""Any text at all as an answer: nothing is raised, and what is recorded can be read again."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.core.dialogue import Dialogue, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.layout import COCO_17
from skeletonagent.llm.answer_schemas import ANSWER_SCHEMAS
from skeletonagent.llm.chat import ScriptedChat
from skeletonagent.llm.chats.provider import _read
from skeletonagent.llm.client import Output, Reply
from skeletonagent.llm.retry import Fault

PIECES = (
    "1-nose: moves.", "8-left elbow", "Joints: ", "Difference: ", "Head: ", "Hand: still.", "\n",
    "99999999999999999999", "²", "٣-nose", ", ", ": ", "-", "–", "\u2028", "\x85", "\ud83d", "\x00",
    "\x1b]0;t\x07", "\x1b[2J", "I'm sorry", "</think>", "{", "}", '{"sentence": "It moves."}', "[[",
    '{"joints": [1e400, -1, 1.5]}', '{"joints": 7}', "null", '"', "\\u", "a " * 300, "It moves.",
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.text(st.characters(categories=None), max_size=40),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["sentence", "joints", "label", "name", "text", "difference", "head"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_any_text_is_recorded_and_read_again(texts: list[str]) -> None:
    asked = iter(range(10**6))
    chat = ScriptedChat(lambda question, history: texts[next(asked) % len(texts)])
    questioner = Questioner(chat, COCO_17, lambda sentence: len(sentence) < 99)
    dialogue = questioner.describe(Dialogue("wave"))
    dialogue = questioner.distinguish(dialogue, ("clap", "jump"), (2, 1), 1)
    chosen = Selector(COCO_17).select(dialogue, None, ("clap",))
    assert all(0 <= joint < 17 for joint in chosen.joints)
    assert chosen.sentence.encode() and not set("\n\x1b\x00") & set(chosen.sentence)
    with TemporaryDirectory() as folder:
        DialogueCollection(COCO_17, (dialogue,)).save(Path(folder))
        (read,) = DialogueCollection.load(Path(folder)).dialogues
    assert read == dialogue


@settings(max_examples=60, deadline=None)
@given(TEXTS | VALUES.map(json.dumps), st.sampled_from(Step), st.sampled_from(Output))
def test_any_reply_is_an_answer_or_a_fault(text: str, step: Step, output: Output) -> None:
    said = ""
    with suppress(Fault):
        said = _read(Reply(text, 1, 1), ANSWER_SCHEMAS[step], output).text
    assert "\x1b" not in said and said.encode().decode() == said
