"""Label sets: what an expert wrote down about the classes of a data set, a YAML file each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout

JOINTS = (2, 6)
"""Fewest and most joints that are described, or that set two classes apart."""
GIST_WORDS = 16
DIFFERENCE_WORDS = 22
FEATURES_WORDS = 50
RIVALS = 3
"""Fewest classes a class is told from."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class BodyPartNotes:
    """What each part of the body does."""

    head: str
    hand: str
    arm: str
    hip: str
    leg: str
    foot: str

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True)
class RivalNotes:
    """What sets a class apart from some of its rivals.

    Args:
        rivals: The classes that differ from it in the same way.
        joints: The joints in which it shows, by name.
        difference: What this class does and they do not, as a clause.
    """

    rivals: tuple[str, ...]
    joints: tuple[str, ...]
    difference: str

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True)
class ClassNotes:
    """What is written about one class.

    Args:
        action: Name of the class.
        gist: The movement in a few words, as a clause.
        overview: How the body moves from start to end, in one sentence.
        parts: What each part of the body does.
        joints: The joints without which nobody could recognise it, and what each of them does.
        features: What tells it from any other class, in one sentence.
        against: What sets it apart from single classes.
    """

    action: str
    gist: str
    overview: str
    parts: BodyPartNotes
    joints: Mapping[str, str]
    features: str
    against: tuple[RivalNotes, ...]

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def contrast(self, rival: str) -> RivalNotes | None:
        """Return what sets the class apart from another, if that is written down."""
        wanted = normalized_name(rival)
        return next((c for c in self.against if wanted in map(normalized_name, c.rivals)), None)


def _layout(value: object) -> object:
    """Return the layout that is meant by its name, or by its fields."""
    if isinstance(value, str) and value in LAYOUTS:
        return LAYOUTS[value]
    if not isinstance(value, Mapping):
        raise ValueError(f"give one of {', '.join(LAYOUTS)}, or name, joints, bones and center")
    try:
        return SkeletonLayout.from_json(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it describes no skeleton: {error}") from error


@dataclass(frozen=True)
class ClassNotesFile:
    """The classes of a data set, and the skeleton in whose words they are described.

    Args:
        title: Name of the data set, for people.
        layout: The skeleton; other skeletons are served by the joints that come closest.
        classes: What is written, in the order of the labels.
    """

    title: str
    layout: Annotated[SkeletonLayout, BeforeValidator(_layout)]
    classes: tuple[ClassNotes, ...]

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


_ADAPTER = TypeAdapter(ClassNotesFile)


def normalized_name(name: str) -> str:
    """Return a name of a class or a joint with nothing but its words, to look it up by."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))


def bundled_names() -> tuple[str, ...]:
    """Return the names of the label sets that come with the package."""
    names = (file.name for file in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def read_class_notes(name: str) -> ClassNotesFile:
    """Return a label set by the name of a bundled one, or by the path of a YAML file.

    Raises:
        DataError: If there is none, or it holds mistakes; all are listed.
    """
    if name.endswith(".yaml"):
        return _read(Path(name))
    chosen = name.lower().replace("-", "_")
    if chosen not in bundled_names():
        known = ", ".join(bundled_names())
        raise DataError(f"no label set {name!r} is bundled; there are {known}, or give a YAML file")
    return bundled_class_notes(chosen)


@cache
def bundled_class_notes(name: str) -> ClassNotesFile:
    """Return one of the :func:`bundled_names`; they are read once."""
    return _read(_folder().joinpath(f"{name}.yaml"))


def _folder() -> Traversable:
    return files("skeletonagent.llm").joinpath("resources")


def _read(file: Traversable) -> ClassNotesFile:
    path = Path(str(file))
    try:
        label_set = _ADAPTER.validate_python(_parsed(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"cannot be read as a label set: {error}", path=path) from error
    except ValidationError as error:
        problems = [
            f"{_place(e['loc'])}: {e['msg']}, got {e['input']!r:.80}" for e in error.errors()
        ]
    else:
        problems = list(_mistakes(label_set))
        if not problems:
            return label_set
    raise DataError(f"has {len(problems)} mistake(s):\n  " + "\n  ".join(problems), path=path)


def _parsed(text: str) -> Any:
    # The loader in C takes a tenth of the time, which counts for hundreds of classes.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts) or "file"


def _mistakes(label_set: ClassNotesFile) -> Iterator[str]:
    """Yield what is wrong with what is written, the class first."""
    names = [normalized_name(notes.action) for notes in label_set.classes]
    yield from (f"{name}: described twice" for name in sorted(set(names)) if names.count(name) > 1)
    known = {normalized_name(name) for name in label_set.layout.joints}
    for notes in label_set.classes:
        yield from (f"{notes.action}: {mistake}" for mistake in _wording_mistakes(notes))
        rivals = [normalized_name(rival) for contrast in notes.against for rival in contrast.rivals]
        for rival in sorted(set(rivals)):
            if rival not in names or rival == normalized_name(notes.action):
                yield f"{notes.action}: {rival!r} is no other class of the set"
            if rivals.count(rival) > 1:
                yield f"{notes.action}: told from {rival!r} twice"
        if len(set(rivals)) < min(RIVALS, len(names) - 1):
            yield f"{notes.action}: told from {len(set(rivals))} classes, {RIVALS} are needed"
        for joints in (tuple(notes.joints), *(contrast.joints for contrast in notes.against)):
            strange = [joint for joint in joints if normalized_name(joint) not in known]
            if strange:
                yield f"{notes.action}: no joint is called {', '.join(map(repr, strange))}"
            if not JOINTS[0] <= len(set(map(normalized_name, joints))) == len(joints) <= JOINTS[1]:
                yield f"{notes.action}: 2 to 6 different joints are needed, got {list(joints)}"
    yield from _indistinct(label_set)


def _wording_mistakes(notes: ClassNotes) -> Iterator[str]:
    """Yield the sentences and clauses of a class that are not laid out as they should be."""
    for sentence in (notes.overview, notes.features):
        if not sentence[:1].isupper() or not sentence.endswith("."):
            yield f"not a sentence with a capital and a full stop: {sentence!r:.60}"
    clauses = [(notes.gist, GIST_WORDS)]
    clauses += [(contrast.difference, DIFFERENCE_WORDS) for contrast in notes.against]
    for clause, most in clauses:
        if not clause[:1].islower() or set(clause) & set(".;:"):
            yield f"not a clause in small letters without . ; or : in it: {clause!r:.60}"
        if len(clause.split()) > most:
            yield f"more than {most} words: {clause!r:.60}"
    if "," in notes.gist:
        yield f"a gist without commas is needed: {notes.gist!r:.60}"
    if len(notes.features.split()) > FEATURES_WORDS:
        yield f"more than {FEATURES_WORDS} words: {notes.features!r:.60}"


def _indistinct(label_set: ClassNotesFile) -> Iterator[str]:
    """Yield the pairs told apart both ways by the same joints, which L_con cannot tell apart."""
    by_name = {normalized_name(notes.action): notes for notes in label_set.classes}
    for name, notes in by_name.items():
        for contrast in notes.against:
            for rival in filter(lambda other: name < other, map(normalized_name, contrast.rivals)):
                back = by_name[rival].contrast(name) if rival in by_name else None
                if back and set(map(normalized_name, back.joints)) == set(
                    map(normalized_name, contrast.joints)
                ):
                    yield f"{name}: told from {rival!r} by the same joints as that from it"
