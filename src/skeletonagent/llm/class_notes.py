"""Class notes: an expert's descriptions of the classes of a data set, a YAML file each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from skeletonagent.core.claims import Claim
from skeletonagent.core.errors import DataError
from skeletonagent.core.layout import LAYOUTS, SkeletonLayout

JOINTS = (2, 6)
"""Fewest and most joints that are described, or that set two classes apart."""
GIST_WORDS = 16
"""Longest gist, in words."""
DIFFERENCE_WORDS = 22
"""Longest difference, in words."""
FEATURES_WORDS = 50
"""Longest sentence of features, in words."""
RIVALS = 3
"""Fewest rivals that a class has notes on."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class BodyPartNotes:
    """Notes on the parts of the body."""

    head: str
    hand: str
    arm: str
    hip: str
    leg: str
    foot: str

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True)
class RivalNotes:
    """Notes on the difference of a class from some of its rivals.

    Args:
        rivals: Names of the classes that differ from it in the same way.
        joints: Names of the joints that show the difference.
        difference: Movement of this class that the rivals do not have, as a clause.
        claims: The same as lines that :meth:`~skeletonagent.core.claims.Claim.parse` reads.
    """

    rivals: tuple[str, ...]
    joints: tuple[str, ...]
    difference: str
    claims: tuple[str, ...] = ()

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@dataclass(frozen=True)
class ClassNotes:
    """Notes about one class.

    Args:
        action: Name of the class.
        gist: The movement in a few words, as a clause.
        overview: Movement of the body from start to end, in one sentence.
        parts: Movement of each part of the body.
        joints: The joints that are needed to recognise it, and the movement of each.
        features: Difference from all other classes, in one sentence.
        against: Differences from single classes.
        claims: Differences from all other classes, as lines that
            :meth:`~skeletonagent.core.claims.Claim.parse` reads.
    """

    action: str
    gist: str
    overview: str
    parts: BodyPartNotes
    joints: Mapping[str, str]
    features: str
    against: tuple[RivalNotes, ...]
    claims: tuple[str, ...] = ()

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    def contrast(self, rival: str) -> RivalNotes | None:
        """Return the notes on the difference from another class, if there are any."""
        wanted = normalized_name(rival)
        return next((c for c in self.against if wanted in map(normalized_name, c.rivals)), None)


def _layout(value: object) -> object:
    """Return the layout of a name, or of fields."""
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
    """Notes about the classes of a data set.

    Args:
        title: Title of the data set.
        layout: The skeleton whose joints are named; on other skeletons the closest joints serve.
        classes: Notes about every class, in label order.
    """

    title: str
    layout: Annotated[SkeletonLayout, BeforeValidator(_layout)]
    classes: tuple[ClassNotes, ...]

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


_ADAPTER = TypeAdapter(ClassNotesFile)


def normalized_name(name: str) -> str:
    """Return the words of a name of a class or a joint alone, as a key."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))


def bundled_names() -> tuple[str, ...]:
    """Return the names of the class notes that come with the package."""
    names = (file.name for file in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def read_class_notes(name: str) -> ClassNotesFile:
    """Return class notes by the name of bundled ones, or by the path of a YAML file.

    Raises:
        DataError: If there are none, or they hold mistakes; all are listed.
    """
    if name.endswith(".yaml"):
        return _read(Path(name))
    chosen = name.lower().replace("-", "_")
    if chosen not in bundled_names():
        raise DataError(
            f"no class notes {name!r} are bundled; there are {', '.join(bundled_names())}, or give "
            "a YAML file"
        )
    return bundled_class_notes(chosen)


@cache
def bundled_class_notes(name: str) -> ClassNotesFile:
    """Return one of the :func:`bundled_names`; they are read once."""
    return _read(_folder().joinpath(f"{name}.yaml"))


def bundled_notes(class_names: Sequence[str]) -> dict[str, ClassNotes]:
    """Return the bundled notes that have claims, of each class that has some.

    Of several sets that describe a class, the one with most of the classes is taken.

    Args:
        class_names: Names of classes.
    """
    wanted = set(map(normalized_name, class_names))
    sets = [
        {normalized_name(notes.action): notes for notes in bundled_class_notes(name).classes}
        for name in bundled_names()
    ]
    found: dict[str, ClassNotes] = {}
    for notes_set in sorted(sets, key=lambda one: -len(wanted & one.keys())):
        for key in wanted & notes_set.keys():
            if notes_set[key].claims:
                found.setdefault(key, notes_set[key])
    return {name: found[key] for name in class_names if (key := normalized_name(name)) in found}


def _folder() -> Traversable:
    return files("skeletonagent.llm").joinpath("resources")


def _read(file: Traversable) -> ClassNotesFile:
    path = Path(str(file))
    try:
        notes_file = _ADAPTER.validate_python(_parsed(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"cannot be read as class notes: {error}", path=path) from error
    except ValidationError as error:
        problems = [
            f"{_place(e['loc'])}: {e['msg']}, got {e['input']!r:.80}" for e in error.errors()
        ]
    else:
        problems = list(_mistakes(notes_file))
        if not problems:
            return notes_file
    raise DataError(f"has {len(problems)} mistake(s):\n  " + "\n  ".join(problems), path=path)


def _parsed(text: str) -> Any:
    # The loader in C takes a tenth of the time, which counts for hundreds of classes.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts) or "file"


def _mistakes(notes_file: ClassNotesFile) -> Iterator[str]:
    """Yield the mistakes of notes, the class first."""
    names = [normalized_name(notes.action) for notes in notes_file.classes]
    yield from (f"{name}: described twice" for name in sorted(set(names)) if names.count(name) > 1)
    joint_names = {normalized_name(name) for name in notes_file.layout.joints}
    for notes in notes_file.classes:
        yield from (f"{notes.action}: {mistake}" for mistake in _wording_mistakes(notes))
        yield from (f"{notes.action}: {mistake}" for mistake in _claim_mistakes(notes))
        rivals = [normalized_name(rival) for contrast in notes.against for rival in contrast.rivals]
        for rival in sorted(set(rivals)):
            if rival not in names or rival == normalized_name(notes.action):
                yield f"{notes.action}: {rival!r} is no other class of the set"
            if rivals.count(rival) > 1:
                yield f"{notes.action}: compared with {rival!r} twice"
        if len(set(rivals)) < min(RIVALS, len(names) - 1):
            yield f"{notes.action}: compared with {len(set(rivals))} classes, {RIVALS} are needed"
        for joints in (tuple(notes.joints), *(contrast.joints for contrast in notes.against)):
            unknown = [joint for joint in joints if normalized_name(joint) not in joint_names]
            if unknown:
                yield f"{notes.action}: no joint is called {', '.join(map(repr, unknown))}"
            if not JOINTS[0] <= len(set(map(normalized_name, joints))) == len(joints) <= JOINTS[1]:
                yield f"{notes.action}: 2 to 6 different joints are needed, got {list(joints)}"
    yield from _indistinct(notes_file)


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


def _claim_mistakes(notes: ClassNotes) -> Iterator[str]:
    """Yield the claims of a class that cannot be read."""
    for line in (*notes.claims, *(line for one in notes.against for line in one.claims)):
        try:
            Claim.parse(line)
        except ValueError as error:
            yield str(error)


def _indistinct(notes_file: ClassNotesFile) -> Iterator[str]:
    """Yield the pairs with the same joints in both directions, which L_con cannot tell apart."""
    by_name = {normalized_name(notes.action): notes for notes in notes_file.classes}
    for name, notes in by_name.items():
        for contrast in notes.against:
            for rival in filter(lambda other: name < other, map(normalized_name, contrast.rivals)):
                reverse = by_name[rival].contrast(name) if rival in by_name else None
                if reverse and set(map(normalized_name, reverse.joints)) == set(
                    map(normalized_name, contrast.joints)
                ):
                    yield f"{name}: differs from {rival!r} in the same joints as that from it"
