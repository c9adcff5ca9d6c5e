"""Dialogues that the paper's authors recorded with GPT-4o, as published with their code.

Per data set a folder of text files, one per class, with rounds 1 to 5; ``label_map`` beside them
holds a file of class names per data set. Source: the published files, spec 3.1 and 3.2.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

from jaxtyping import Bool
from torch import Tensor

from skeletonagent.agents.answers.repair import validated
from skeletonagent.core.dialogue import DESCRIPTION, Dialogue, Exchange, Outcome, Question, Step
from skeletonagent.core.dialogue_io import DialogueCollection
from skeletonagent.core.errors import DataError
from skeletonagent.core.guidance import Guidance
from skeletonagent.core.layout import COCO_20, KINECT_25, UAV_17, SkeletonLayout
from skeletonagent.core.streams import Stream

RELEASED: Mapping[str, SkeletonLayout] = {
    "nturgbd_60": KINECT_25,
    "nturgbd_120": KINECT_25,
    "finegym": COCO_20,
    "k400": COCO_20,
    "uav_human": UAV_17,
}
"""Skeletons of the published data sets, by name of the folder."""

_ROUND = re.compile(
    r"^Round (\d+) Question:\n(.*?)\n+Round \1 Answer:\n(.*?)\n+={80}$", re.M | re.S
)
_DETAIL = re.compile(r"(\d+)-")
_LABEL_MAPS = "label_map"


def released_salient(guidance: Guidance, stream: Stream) -> Bool[Tensor, "y v"]:
    """Return K's mask as the released code has it, for parity with its models.

    It is :meth:`Guidance.salient` but for two slips in its tables of bones. Those of Kinect v2 list
    joint 21 before joint 20, and a bone's place in the list serves as its joint; in the k-bones of
    UAV-Human joint 11, whose grandparent is joint 7, goes with joint 4. Source: spec 2.2 and 3.2.
    """
    mask, layout = guidance.salient(), guidance.layout
    if stream.base is Stream.JOINT:
        return mask
    pairs = list(enumerate(layout.parents if stream.base is Stream.BONE else layout.grandparents))
    if layout == KINECT_25:
        pairs[20], pairs[21] = pairs[21], pairs[20]
    if layout == UAV_17 and stream.base is Stream.KBONE:
        pairs[11] = (11, 4)
    return mask[:, [joint for joint, _ in pairs]] | mask[:, [partner for _, partner in pairs]]


def salient_joints(dialogue: Dialogue, layout: SkeletonLayout) -> tuple[int, ...]:
    """Return the joints that begin a line of the details as given, 0-based and ascending.

    This is how the released code reads them: whatever else is wrong with the answer, repeated
    lists and notes included. Labels that exist nowhere are left out.
    """
    joints = {
        int(number) - 1 for number in detail_labels(original_answer(dialogue, Step.JOINT_DETAILS))
    }
    return tuple(sorted(joint for joint in joints if 0 <= joint < layout.num_joints))


def detail_labels(answer: str) -> list[int]:
    """Return the 1-based labels that begin the lines of an answer, in its order."""
    matches = (_DETAIL.match(line.strip()) for line in answer.splitlines())
    return [int(match[1]) for match in matches if match]


def original_answer(dialogue: Dialogue, step: Step) -> str:
    """Return the latest answer of a step as it was given, before any repair; empty without one."""
    asked = [e for e in dialogue.exchanges if e.question.step is step]
    chosen = dialogue.latest(step) or (asked[-1] if asked else None)
    if chosen is None:
        return ""
    if chosen.outcome is not Outcome.REPAIRED:
        return chosen.answer
    originals = (e.answer for e in reversed(chosen.earlier) if e.problem == chosen.problem)
    return next(originals, chosen.answer)


def read_released_dialogues(
    path: Path, dataset: str, class_names: Sequence[str] | None = None
) -> DialogueCollection:
    """Return the published dialogues of a data set, each answer checked and repaired as usual.

    The questions keep their text, and a repaired answer its original as an earlier attempt.

    Args:
        path: The zip, a folder that holds the data set's, or that folder itself.
        dataset: One of :data:`RELEASED`.
        class_names: Names of the classes in label order, where the files have no ``label_map``.

    Raises:
        DataError: If the data set is unknown, or a file is missing or damaged.
    """
    if dataset not in RELEASED:
        names = ", ".join(RELEASED)
        raise DataError(f"no published data set is called {dataset!r}; there are {names}")
    root = _root(path)
    folder = next(_folders(root, dataset), None)
    if folder is None:
        raise DataError(f"holds no folder {dataset!r}, and is not named so itself", path=path)
    actions = class_names or _class_names(path, root, dataset)
    files = {file.name[:3]: file for file in folder.iterdir() if file.name.endswith(".txt")}
    dialogues = (_read_class(files, folder, n, name, dataset) for n, name in enumerate(actions))
    return DialogueCollection(RELEASED[dataset], tuple(dialogues))


def _root(path: Path) -> Traversable:
    if path.is_dir():
        return path.resolve()
    try:
        return zipfile.Path(path)
    except (OSError, zipfile.BadZipFile) as error:
        problem = f"cannot be read: {error}; the published zip or its folder is needed"
        raise DataError(problem, path=path) from error


def _folders(root: Traversable, name: str) -> Iterator[Traversable]:
    """Yield the folders of a name, ``root`` itself included, in a fixed order."""
    if root.name == name:
        yield root
    for child in sorted(root.iterdir(), key=lambda item: item.name):
        if child.is_dir() and not child.name.startswith("."):
            yield from _folders(child, name)


def _class_names(path: Path, root: Traversable, dataset: str) -> list[str]:
    """Return the class names that lie in ``root``, or beside it where it is the data set's own."""
    inside = (folder.joinpath(f"{dataset}.txt") for folder in _folders(root, _LABEL_MAPS))
    beside = (folder / _LABEL_MAPS / f"{dataset}.txt" for folder in path.resolve().parents[:2])
    for file in (*inside, *beside):
        if file.is_file():
            return [line.strip() for line in _text(file).splitlines() if line.strip()]
    raise DataError(
        f"holds no {_LABEL_MAPS}/{dataset}.txt; give the class names in label order", path=path
    )


def _read_class(
    files: Mapping[str, Traversable], folder: Traversable, label: int, action: str, dataset: str
) -> Dialogue:
    """Return the dialogue about a class, in the file whose name begins with its number.

    The rest of the name is not relied on: letters beyond ASCII come out of a zip in many ways.
    """
    file = files.get(f"{label + 1:03d}")
    if file is None:
        problem = f"holds no file of class {label + 1}, {action!r}; every class needs one"
        raise DataError(problem, path=Path(str(folder)))
    rounds = _ROUND.findall(_text(file))
    numbers = [int(number) for number, _, _ in rounds]
    if numbers != list(range(1, len(DESCRIPTION) + 1)):
        problem = f"holds rounds {numbers}; rounds 1 to {len(DESCRIPTION)}, once each, are needed"
        raise DataError(problem, path=Path(str(file)))
    if f"'{action}'" not in rounds[0][1]:
        problem = f"is not about {action!r}, the class of its number; check the class names"
        raise DataError(problem, path=Path(str(file)))
    layout, dialogue = RELEASED[dataset], Dialogue(action)
    for step, (_, text, answer) in zip(DESCRIPTION, rounds, strict=True):
        question = Question(action, step, layout.joints, (), text)
        exchange = validated(Exchange(question, answer), layout, before=dialogue.exchanges)
        dialogue = dialogue.with_exchange(exchange)
    return dialogue


def _text(file: Traversable) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, KeyError, UnicodeDecodeError) as error:
        problem = f"cannot be read: {error}; every class needs its file"
        raise DataError(problem, path=Path(str(file))) from error
