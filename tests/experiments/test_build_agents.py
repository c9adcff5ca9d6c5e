"""From a configuration to the agents: who answers, and what it may cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import unpack_archive

import pytest
import torch

from skeletonagent.agents.dialogue_stats import compute_dialogue_stats
from skeletonagent.agents.settings import AgentSettings
from skeletonagent.core.clips import ClipStore
from skeletonagent.core.confusion import Confusions
from skeletonagent.core.dialogue import Dialogue, Exchange, Provenance, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.core.guidance import ClassGuidance, Guidance
from skeletonagent.core.layout import COCO_17
from skeletonagent.data.archive import write_archive
from skeletonagent.data.placement import open_on_disk
from skeletonagent.data.preprocessing import Preprocessor
from skeletonagent.data.synthetic.generate import synthetic_dataset
from skeletonagent.experiments import build_agents
from skeletonagent.experiments.build_agents import Agents
from skeletonagent.llm.class_notes import bundled_class_notes, bundled_names
from skeletonagent.llm.settings import ProviderSettings
from skeletonagent.text.wordllama import load_wordllama


def unseen(done: int, of: int) -> None: ...


@pytest.fixture(scope="module")
def store() -> ClipStore:
    return synthetic_dataset(clips_per_class=2, subjects=2).store


def agents(store: ClipStore, **settings: object) -> Agents:
    chosen = AgentSettings(**settings)  # type: ignore[arg-type]
    return build_agents.build_agents(chosen, store, torch.arange(len(store)), load_wordllama())


def test_nobody_says_nothing(store: ClipStore) -> None:
    silent = agents(store, chat="none")
    guidance = silent.start(unseen)
    assert guidance.sentences == store.class_names
    assert silent.refresh(Confusions.empty(store.num_classes), guidance) is guidance


def test_the_training_waits_for_answers_from_this_machine_alone(
    store: ClipStore, tmp_path: Path
) -> None:
    DialogueCollection(store.layout, tuple(map(Dialogue, store.class_names))).save(tmp_path)
    address = ProviderSettings(base_url="http://127.0.0.1:9/v1")
    assert agents(store).wait
    assert agents(store, chat=f"recorded:{tmp_path}").wait
    assert not agents(store, chat="some-model", provider=address, cache=False).wait
    assert agents(store, chat="some-model", provider=address, cache=False, wait=True).wait
    assert not agents(store, wait=False).wait


def test_a_record_is_repeated(store: ClipStore, tmp_path: Path) -> None:
    told = agents(store).start(unseen)
    DialogueCollection(store.layout, tuple(c.dialogue for c in told.classes)).save(tmp_path)
    again = agents(store, chat=f"recorded:{tmp_path}").start(unseen)
    assert again.classes == told.classes


def test_a_record_about_another_skeleton_is_refused(store: ClipStore, tmp_path: Path) -> None:
    DialogueCollection(COCO_17, ()).save(tmp_path)
    with pytest.raises(ConfigError, match=r"17 joints of coco-17, the data have 25"):
        agents(store, chat=f"recorded:{tmp_path}")
    with pytest.raises(DataError, match="a folder of dialogues or a run is needed"):
        agents(store, chat=f"recorded:{tmp_path / 'nowhere'}")


def spent(model: str, store: ClipStore) -> Guidance:
    question = Question("wave", Step.OVERVIEW, store.layout.joints, (), "What?")
    source = Provenance(model, requests=3, input_tokens=1_000_000, output_tokens=0)
    said = Dialogue("wave", (Exchange(question, "It waves.", source=source),))
    return Guidance(store.layout, (ClassGuidance("wave", (1,), "It waves.", dialogue=said),))


def test_what_was_spent_before_counts_when_a_run_goes_on(store: ClipStore) -> None:
    resumed = agents(store, max_requests=4)
    resumed.recall(spent("openai:gpt-4o", store))
    assert resumed.budget.spent.requests == 3
    assert resumed.budget.spent.dollars > 0
    assert resumed.budget.reserve("openai:gpt-4o") is None
    assert "4 requests is spent" in str(resumed.budget.reserve("openai:gpt-4o"))


def test_what_is_written_is_said_and_the_analyst_helps_out(store: ClipStore) -> None:
    """Classes keep their clips and get names: all but the last are in a label set."""
    known = [notes.action for notes in bundled_class_notes("utd_mhad").classes]
    names = (*known[: store.num_classes - 1], "a class of its own")
    renamed = replace(store, class_names=names)
    bundled = agents(renamed, chat="bundled")
    confused = torch.ones(len(names), len(names), dtype=torch.long)
    confused[0, -1] = 5
    guidance = bundled.refresh(Confusions(confused), bundled.start(unseen))
    models = bundled.accounts(guidance).models
    answered = {
        notes.action: {e.source.model for e in notes.dialogue.exchanges if e.source}
        for notes in guidance.classes
    }
    # The worst rival of the first class is one that nothing is written about.
    assert answered.pop(names[0]) == {"bundled", "analyst"}
    assert answered.pop(names[-1]) == {"analyst"}
    assert all(models == {"bundled"} for models in answered.values())
    assert {(model.dollars, model.requests) for model in models.values()} == {(0.0, 0)}
    usable = {"accepted", "accepted when asked again", "doubted", "doubted when asked again"}
    assert bundled.accounts(guidance).outcomes.keys() <= usable
    assert bundled.wait


@pytest.mark.parametrize("name", bundled_names())
def test_label_sets_are_dialogues_without_a_flaw(name: str, tmp_path: Path) -> None:
    label_set = bundled_class_notes(name)
    transcripts = build_agents.bundled_dialogues(name, label_set)
    transcripts.save(tmp_path)
    assert DialogueCollection.load(tmp_path) == transcripts
    found = compute_dialogue_stats(transcripts)
    assert found.classes == len(label_set.classes)
    assert not found.findings
    tolerated = {"one_sided"}
    assert {key for key, count in found.oddities.items() if count} <= tolerated
    for notes, dialogue in zip(label_set.classes, transcripts.dialogues, strict=True):
        targeted = [e for e in dialogue.exchanges if e.question.step is Step.DISTINGUISH]
        assert [e.question.rivals for e in targeted] == [c.rivals for c in notes.against]


@pytest.mark.parametrize(
    "settings",
    [
        {"chat": "mine@http://localhost:1/v1"},
        {"chat": "mine", "provider": ProviderSettings(base_url="http://localhost:1/v1")},
        {"chat": "openai:gpt-4o", "fallback": ("mine@http://localhost:1/v1",)},
    ],
)
def test_a_model_on_this_machine_costs_nothing(
    store: ClipStore, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "never-used")
    found = agents(store, cache=False, **settings).accounts(spent("mine", store))
    assert (found.models["mine"].dollars, found.models["mine"].requests) == (0, 3)


def test_describe_classes_looks_at_the_training_part_alone() -> None:
    data = synthetic_dataset(clips_per_class=4, subjects=2)
    train = data.store.indices(data.splits[data.default_split].train)
    store = Preprocessor()(data.store)
    expected = build_agents.build_agents(AgentSettings(), store, train, load_wordllama())
    guidance = build_agents.describe_classes(data)
    assert guidance == expected.start(unseen)
    assert len(guidance.classes) == data.store.num_classes and guidance.round == 0
    assert guidance != build_agents.describe_classes(store, encoder=load_wordllama())


def test_describe_classes_reads_a_data_set_on_disk(tmp_path: Path) -> None:
    data = synthetic_dataset(clips_per_class=4, subjects=2)
    write_archive(data, tmp_path)
    unpack_archive(tmp_path / "synthetic.npz", tmp_path / "synthetic", "zip")
    on_disk = open_on_disk(tmp_path, False, Preprocessor())
    done: list[tuple[int, int]] = []
    guidance = build_agents.describe_classes(
        on_disk, progress=lambda number, total: done.append((number, total))
    )
    assert guidance == build_agents.describe_classes(data)
    assert done[-1] == (data.store.num_classes, data.store.num_classes)


def test_describe_classes_refuses_an_unknown_split() -> None:
    data = synthetic_dataset(clips_per_class=2, subjects=2)
    with pytest.raises(ConfigError, match="no split 'nowhere'"):
        build_agents.describe_classes(data, split="nowhere")
