"""Construction of the agents from a configuration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from skeletonagent.agents.evidence.analyst import Analyst
from skeletonagent.agents.evidence.claim_test import ClaimTester
from skeletonagent.agents.evidence.effect_sizes import Evidence
from skeletonagent.agents.evidence.measured_clips import measure_labelled_clips
from skeletonagent.agents.evidence.reviewer import Reviewer
from skeletonagent.agents.evidence.verifier import Verifier
from skeletonagent.agents.first_question import FirstQuestion
from skeletonagent.agents.guidance_control import controlled_joints, controlled_sentences
from skeletonagent.agents.orchestrator import GuidanceOrchestrator, ProgressCallback
from skeletonagent.agents.questioner import Questioner
from skeletonagent.agents.selector import Selector
from skeletonagent.agents.settings import AgentSettings, VerifyMode
from skeletonagent.agents.usage import UsageReport, usage_report
from skeletonagent.core.clips import ClipStore, SkeletonData
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import Dialogue
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ConfigError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.data.loader import ClipLoader, DeviceOptions, build_clip_loader
from skeletonagent.data.placement import OnDiskData
from skeletonagent.data.settings import AugmentSettings, ClipSettings
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.config import Config
from skeletonagent.experiments.datasets import preprocess_dataset
from skeletonagent.llm.budget import Budget, Spent, price
from skeletonagent.llm.chat import Chat
from skeletonagent.llm.chats.build import build_chat, resolve_model
from skeletonagent.llm.chats.class_notes_chat import ClassNotesChat
from skeletonagent.llm.chats.fallback import FallbackChat
from skeletonagent.llm.chats.recorded import RecordedChat
from skeletonagent.llm.class_notes import ClassNotesFile, bundled_class_notes, bundled_names
from skeletonagent.text.encoder import TextEncoder, build_encoder, default_cache_folder
from skeletonagent.training.losses import GuidanceTensors

ANALYST = "analyst"
BUNDLED = "bundled"
NOBODY = "none"
RECORDED = "recorded:"


def controlled_guidance(config: Config, guidance: GuidanceTensors) -> GuidanceTensors:
    """Return the guidance that a run trains with: another class's or nobody's in a control."""
    control, seed = config.agents.control, config.seed
    return GuidanceTensors(
        controlled_joints(guidance.salient, control, seed),
        controlled_sentences(guidance.text_table, control, seed),
    )


def _nothing() -> None:
    """Check nothing."""


@dataclass(frozen=True)
class Agents:
    """The agents of a run.

    Args:
        start: Function that returns the guidance before training and reports its progress.
        refresh: Function that returns the guidance of the next round.
        wait: Whether the training waits for a round.
        budget: Limits of what language models may cost.
        price: Price in US dollars of a model's input and output tokens.
        check: Function that asks a language model the first question, which :attr:`start` does not
            ask again.
        chat: Name of the chat, for answers that have no provenance.
        check_again: Function that asks a language model the first question anew, whatever it
            answered before, and keeps no answer.
    """

    start: Callable[[ProgressCallback], Guidance]
    refresh: Callable[[Confusions, Guidance], Guidance]
    wait: bool
    budget: Budget
    price: Callable[[str, int, int], float | None]
    check: Callable[[], object] = _nothing
    chat: str = ""
    check_again: Callable[[], object] = _nothing

    def recall(self, guidance: Guidance) -> None:
        """Add the cost of earlier dialogues to the budget, when a run is resumed."""
        for name, spent in self.accounts(guidance).models.items():
            self.budget.recall(
                name,
                Spent(
                    requests=spent.requests,
                    input_tokens=spent.input_tokens,
                    output_tokens=spent.output_tokens,
                    dollars=spent.dollars or 0.0,
                ),
            )

    def accounts(self, guidance: Guidance) -> UsageReport:
        """Return the questions, outcomes and costs of a run."""
        return usage_report(guidance, self.price, self.chat)


def build_agents(
    settings: AgentSettings,
    source: ClipLoader | ClipStore,
    train: Int[Tensor, " n"],
    encoder: TextEncoder,
) -> Agents:
    """Return the agents of a run, which see no clips but those of the training set.

    Args:
        settings: Settings of the agents.
        source: All clips, on the host.
        train: Positions of the training set's clips.
        encoder: Text encoder of the sentences; sentences beyond its limit are not usable.

    Raises:
        ConfigError: If a chat cannot be asked.
        DataError: If recorded dialogues cannot be read.
    """
    store = source if isinstance(source, ClipStore) else source.store
    budget = Budget(settings.max_requests, settings.max_tokens, settings.max_dollars)

    asked = (resolve_model(settings.provider, chat) for chat in (settings.chat, *settings.fallback))
    addresses = {model.model: model.base_url for model in asked}

    def cost(model: str, input_tokens: int, output_tokens: int) -> float | None:
        if answers_offline(model):
            return 0.0
        return price(model, input_tokens, output_tokens, addresses.get(model))

    if settings.chat == NOBODY:
        classes = tuple(ClassGuidance(name, (), name) for name in store.class_names)
        unguided = Guidance(store.layout, classes)
        return Agents(lambda _: unguided, lambda _, guidance: guidance, True, budget, cost)
    orchestrator = _build_orchestrator(settings, source, train, encoder, budget)
    remote = not answers_offline(settings.chat)
    wait = settings.wait if settings.wait is not None else not remote
    first = FirstQuestion(orchestrator.questioner, store.class_names[0], settings.must_answer)
    return Agents(
        lambda progress: orchestrator.start(progress, first.ask() if remote else None),
        orchestrator.refresh,
        wait,
        budget,
        cost,
        first.ask if remote else _nothing,
        settings.chat,
        partial(_ask_anew, settings, store) if remote else _nothing,
    )


def _ask_anew(settings: AgentSettings, store: ClipStore) -> None:
    """Ask the first question past the cache, and beside the limits of cost of the run."""
    chat = build_chat([settings.chat, *settings.fallback], settings.provider, Budget())
    FirstQuestion(Questioner(chat, store.layout), store.class_names[0], settings.must_answer).ask()


def describe_classes(
    data: SkeletonData | ClipStore,
    settings: AgentSettings | None = None,
    encoder: TextEncoder | None = None,
    *,
    chat: str | None = None,
    split: str | None = None,
    progress: ProgressCallback = lambda done, total: None,
) -> Guidance:
    """Return the guidance before training, every class described by itself, without training.

    Args:
        data: A data set, of which only the training part of a split is looked at, or clips, which
            are all looked at. A data set that is not preprocessed is by default settings.
        settings: Settings of the agents.
        chat: Who answers the questions, in place of the settings' ``analyst``.
        encoder: Text encoder whose limit the sentences must keep; that of the settings if None.
        split: Name of the split; the data set's default if None.
        progress: Called with the number of classes described and the number of classes.

    Raises:
        ConfigError: If there is no such split, or a chat cannot be asked.
        DataError: If a clip cannot be used, or recorded dialogues cannot be read.

    Examples:
        >>> import skeletonagent as sa
        >>> guidance = sa.describe_classes(sa.open_dataset("skeletons/mine"), chat="analyst")
        >>> [described.action for described in guidance.classes]
        ['wave', 'jump', 'squat']
        >>> guidance.salient().shape  # classes, joints of the preprocessed skeleton
        torch.Size([3, 20])
    """
    settings = settings or AgentSettings()
    if chat is not None:
        settings = replace(settings, chat=chat)
    if isinstance(data, ClipStore):
        source: ClipLoader | ClipStore = data
        train = torch.arange(len(data))
    else:
        train = data.store.indices(choose_split(data, split)[1].train)
        host = DeviceOptions(torch.device("cpu"))
        on_disk = isinstance(data, OnDiskData)
        source = (
            build_clip_loader(data, ClipSettings(), AugmentSettings(), host)
            if on_disk
            else preprocess_dataset(data).store
        )
    encoder = encoder or build_encoder(settings.text_encoder)
    return build_agents(settings, source, train, encoder).start(progress)


def _build_orchestrator(
    settings: AgentSettings,
    source: ClipLoader | ClipStore,
    train: Int[Tensor, " n"],
    encoder: TextEncoder,
    budget: Budget,
) -> GuidanceOrchestrator:
    store = source if isinstance(source, ClipStore) else source.store
    clips = measure_labelled_clips(source, train)
    evidence = Evidence.of(clips)
    remote = not answers_offline(settings.chat)
    verifies = settings.verify is not VerifyMode.OFF
    return GuidanceOrchestrator(
        questioner=Questioner(
            build_chat_from_settings(settings, store, evidence, budget),
            store.layout,
            lambda sentence: encoder.count_tokens(sentence) <= encoder.max_tokens,
        ),
        selector=Selector(store.layout),
        reviewer=Reviewer(
            store.layout,
            Verifier(evidence, settings.verify) if verifies else None,
            ClaimTester(clips) if verifies else None,
        ),
        class_names=store.class_names,
        max_rivals=settings.max_rivals,
        padded_rivals=settings.padded_rivals,
        rival_share=settings.rival_share,
        workers=settings.concurrency if remote else 1,
        seconds=settings.round_timeout if remote else None,
    )


def answers_offline(chat: str) -> bool:
    """Return whether a chat asks no language model."""
    return chat in (ANALYST, BUNDLED, NOBODY) or chat.startswith(RECORDED)


def build_chat_from_settings(
    settings: AgentSettings, store: ClipStore, evidence: Evidence, budget: Budget
) -> Chat:
    """Return the chat that answers the questions.

    Raises:
        ConfigError: If a language model cannot be asked.
        DataError: If recorded dialogues cannot be read or are about another skeleton.
    """
    if settings.chat == ANALYST:
        return Analyst(evidence)
    if settings.chat == BUNDLED:
        return FallbackChat((bundled_chat(store.class_names), Analyst(evidence)))
    if settings.chat.startswith(RECORDED):
        transcripts = DialogueCollection.load(Path(settings.chat.removeprefix(RECORDED)))
        if transcripts.layout.joints != store.layout.joints:
            raise ConfigError(
                f"agents.chat {settings.chat!r} speaks of the {len(transcripts.layout.joints)} "
                f"joints of {transcripts.layout.name}, the data have {store.layout.num_joints} "
                f"of {store.layout.name}"
            )
        return RecordedChat(transcripts)
    return build_chat(
        [settings.chat, *settings.fallback],
        settings.provider,
        budget,
        answers_cache() if settings.cache else None,
    )


def bundled_chat(class_names: Sequence[str]) -> ClassNotesChat:
    """Return the chat that answers from the class notes that come with the package."""
    return ClassNotesChat(
        {name: bundled_class_notes(name) for name in bundled_names()}, class_names
    )


def bundled_dialogues(name: str, notes_file: ClassNotesFile) -> DialogueCollection:
    """Return class notes as dialogues: the description, and a question for every contrast."""
    actions = [notes.action for notes in notes_file.classes]
    questioner = Questioner(ClassNotesChat({name: notes_file}, actions), notes_file.layout)
    dialogues = []
    for notes in notes_file.classes:
        dialogue = questioner.describe(Dialogue(notes.action))
        for number, contrast in enumerate(notes.against, start=1):
            dialogue = questioner.distinguish(dialogue, contrast.rivals, round_number=number)
        dialogues.append(dialogue)
    return DialogueCollection(notes_file.layout, tuple(dialogues))


def answers_cache() -> Path:
    """Return the file in which answers of language models are cached."""
    return default_cache_folder().parent / "answers.sqlite"
