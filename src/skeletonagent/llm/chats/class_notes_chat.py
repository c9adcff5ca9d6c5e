"""Chat that answers from class notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest

from skeletonagent.core.claim_results import MAX_CLAIMS
from skeletonagent.core.claims import Claim
from skeletonagent.core.dialogue import Exchange, Provenance, Question, Step
from skeletonagent.core.errors import ChatClosedError
from skeletonagent.llm.answer_schemas import (
    AnswerSchema,
    BodyPartsAnswer,
    ClaimFields,
    CriticalJointsAnswer,
    DescribedJoint,
    DistinctionAnswer,
    JointDetailsAnswer,
    KeyFeaturesAnswer,
    NamedJoint,
    OverviewAnswer,
    claim_fields,
)
from skeletonagent.llm.chat import Answer
from skeletonagent.llm.class_notes import (
    JOINTS,
    ClassNotes,
    ClassNotesFile,
    normalized_name,
)

NOTES_SENTENCE_WORDS = 48
"""Longest sentence of several clauses, in words."""

_ALIKE = (
    ("left hand tip", "left thumb", "left hand", "left wrist"),
    ("right hand tip", "right thumb", "right hand", "right wrist"),
    ("left foot", "left ankle"),
    ("right foot", "right ankle"),
    ("head", "face", "nose"),
    ("neck", "shoulder center", "middle of shoulders", "thorax"),
    ("middle of spine", "spine", "torso", "belly"),
    ("base of spine", "hip center", "middle of hips"),
)
"""Joints that replace each other on skeletons that lack one of them."""
_MIDDLES = (("shoulder center", "shoulder"), ("neck", "shoulder"), ("hip center", "hip"))
"""Joints in the middle that the joints of both sides replace if need be."""


class ClassNotesChat:
    """Chat that answers from class notes, for any set of rivals.

    Every class is looked up by its name, first in the file with most of the classes. A question
    stays unanswered without notes about the class or the most frequent of its rivals, or if the
    skeleton has none of the joints. Other rivals without notes are ignored.

    Args:
        notes_files: The class notes, by name of the data set.
        class_names: Names of the classes that will be asked about.
    """

    name = "bundled"

    def __init__(
        self, notes_files: Mapping[str, ClassNotesFile], class_names: Sequence[str]
    ) -> None:
        wanted = set(map(normalized_name, class_names))
        self._notes: dict[str, ClassNotes] = {}
        self._origin: dict[str, str] = {}
        for name in sorted(notes_files, key=lambda name: -_shared(notes_files[name], wanted)):
            for notes in notes_files[name].classes:
                self._notes.setdefault(normalized_name(notes.action), notes)
                self._origin.setdefault(normalized_name(notes.action), name)

    def ask(self, question: Question, history: Sequence[Exchange]) -> Answer:
        """Return the answer of the notes; asked again about one rival, the difference from it.

        Raises:
            ChatClosedError: If the notes have none.
        """
        notes = self._notes.get(normalized_name(question.action))
        if notes is None:
            raise self._no_answer(question, "nothing is written about this class")
        answer = (
            self._distinction(question, notes, history)
            if question.step is Step.DISTINGUISH
            else self._description(question, notes)
        )
        origin = self._origin[normalized_name(notes.action)]
        return Answer.typed(answer, Provenance(self.name, {"set": origin}))

    def _description(self, question: Question, notes: ClassNotes) -> AnswerSchema:
        match question.step:
            case Step.OVERVIEW:
                return OverviewAnswer(sentence=notes.overview)
            case Step.KEY_FEATURES:
                return KeyFeaturesAnswer(sentence=notes.features)
            case Step.BODY_PARTS:
                return BodyPartsAnswer(**asdict(notes.parts))
        details: dict[int, str] = {}
        for name, text in notes.joints.items():
            for joint in places(name, question.joints):
                details.setdefault(joint, text)
        joints = self._require_joints(question, sorted(details))
        if question.step is Step.CRITICAL_JOINTS:
            return CriticalJointsAnswer(joints=[joint + 1 for joint in joints])
        described = [
            DescribedJoint(label=joint + 1, name=_name(question, joint), text=details[joint])
            for joint in joints
        ]
        return JointDetailsAnswer(joints=described)

    def _distinction(
        self, question: Question, notes: ClassNotes, history: Sequence[Exchange]
    ) -> DistinctionAnswer:
        others = [
            name
            for name in map(normalized_name, question.rivals)
            if name != normalized_name(notes.action)
        ]
        rivals = [self._notes[name] for name in others if name in self._notes]
        if others and others[0] not in self._notes:
            raise self._no_answer(question, "nothing is written about the worst of its rivals")
        joints = _joints(question, notes, [_apart(notes, rival) for rival in rivals])
        repeated = _rival_of_repetition(question, history)
        if repeated is not None and (rival := self._notes.get(normalized_name(repeated))):
            ways = (_joints(question, notes, [names]) for names in _narrowed(notes, rival))
            joints = next((way for way in ways if way and way != joints), joints)
        return DistinctionAnswer(
            joints=[
                NamedJoint(label=joint + 1, name=_name(question, joint))
                for joint in self._require_joints(question, joints)
            ],
            difference=_sentence(notes, rivals),
            claims=_claims(question, notes),
        )

    def _require_joints(self, question: Question, joints: Sequence[int]) -> Sequence[int]:
        if not joints:
            raise self._no_answer(question, "the skeleton has none of the joints written about")
        return joints

    def _no_answer(self, question: Question, problem: str) -> ChatClosedError:
        return ChatClosedError(self.name, question.action, question.step, 0, problem)


def places(name: str, joints: Sequence[str]) -> tuple[int, ...]:
    """Return the joints of a skeleton that a name means, or the closest ones.

    Args:
        name: Name of a joint in class notes.
        joints: Names of the skeleton's joints, in index order.
    """
    index = {normalized_name(joint): number for number, joint in enumerate(joints)}
    wanted = normalized_name(name)
    for group in (group for group in _ALIKE if wanted in group):
        start = group.index(wanted)
        for other in (*group[start:], *reversed(group[:start])):
            if other in index:
                return (index[other],)
        for middle, limb in _MIDDLES:
            sides = [index[s] for s in (f"left {limb}", f"right {limb}") if s in index]
            if middle in group and sides:
                return tuple(sides)
    return (index[wanted],) if wanted in index else ()


def _shared(notes_file: ClassNotesFile, wanted: set[str]) -> int:
    return len(wanted & {normalized_name(notes.action) for notes in notes_file.classes})


def _joints(
    question: Question, notes: ClassNotes, choices: Sequence[Sequence[str]]
) -> tuple[int, ...]:
    """Return the joints of the first choices that fit together, two at least."""
    chosen: list[int] = []
    for names in (*choices, notes.joints):
        new = [joint for name in names for joint in places(name, question.joints)]
        united = list(dict.fromkeys([*chosen, *new]))
        if not chosen:
            chosen = united[: JOINTS[1]]
        elif len(united) <= JOINTS[1] and (names is not notes.joints or len(chosen) < JOINTS[0]):
            chosen = united
    return tuple(sorted(chosen))


def _apart(notes: ClassNotes, rival: ClassNotes) -> Sequence[str]:
    """Return the joints that set a class apart from another, by name."""
    contrast = notes.contrast(rival.action)
    others = [joint for joint in notes.joints if joint not in rival.joints]
    return contrast.joints if contrast else others or tuple(notes.joints)


def _narrowed(notes: ClassNotes, rival: ClassNotes) -> Iterator[Sequence[str]]:
    """Yield sets of joints that set a class apart from a single other one, best first."""
    apart = _apart(notes, rival)
    yield apart
    yield [*apart, *(joint for joint in notes.joints if joint not in rival.joints)]
    yield tuple(notes.joints)
    yield [*apart, *notes.joints]
    yield apart[:-1]
    yield [*apart, *(joint for contrast in notes.against for joint in contrast.joints)]


def _rival_of_repetition(question: Question, history: Sequence[Exchange]) -> str | None:
    """Return the one rival named in the text added to a question that is asked once more."""
    before = history[-1].question if history else None
    if before is None or (before.step, before.rivals) != (question.step, question.rivals):
        return None
    added = question.text.removeprefix(before.text)
    named = [rival for rival in question.rivals if f'"{rival}"' in added]
    return named[0] if len(named) == 1 and added != question.text else None


def _sentence(notes: ClassNotes, rivals: Sequence[ClassNotes]) -> str:
    """Return one sentence of as many differences as fit, the most frequent rival's first."""
    chosen: list[str] = []
    for clause in dict.fromkeys(_clauses(notes, rivals)):
        if not chosen or len(" ".join([*chosen, "and", clause]).split()) <= NOTES_SENTENCE_WORDS:
            chosen.append(clause)
    text = "; ".join([*chosen[:-1], f"and {chosen[-1]}"] if len(chosen) > 1 else chosen)
    return f"{text[0].upper()}{text[1:]}."


def _clauses(notes: ClassNotes, rivals: Sequence[ClassNotes]) -> Iterator[str]:
    """Yield the difference from every rival, a general description only once."""
    general = False
    for rival in rivals:
        contrast = notes.contrast(rival.action)
        if contrast:
            yield _flat(contrast.difference)
        elif not general:
            general = True
            yield _flat(f"{notes.gist}, whereas in {_spoken(rival.action)} {rival.gist}")
    if not rivals:
        yield _flat(notes.gist)


def _claims(question: Question, notes: ClassNotes) -> list[ClaimFields]:
    """Return the claims against the rivals asked about, in turn, and then those against all."""
    against = [
        [Claim.parse(line, rival) for line in contrast.claims]
        for rival in question.rivals
        if (contrast := notes.contrast(rival)) is not None
    ]
    in_turn = [claim for row in zip_longest(*against) for claim in row if claim is not None]
    claims = [*in_turn, *map(Claim.parse, notes.claims)]
    return [claim_fields(claim) for claim in dict.fromkeys(claims)][:MAX_CLAIMS]


def _name(question: Question, joint: int) -> str:
    return _spoken(question.joints[joint]).lower()


def _spoken(name: str) -> str:
    return " ".join(name.replace("_", " ").split())


def _flat(text: str) -> str:
    return " ".join(text.split())
