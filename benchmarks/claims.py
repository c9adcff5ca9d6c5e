"""Claims: how many are borne out, contradicted and undecided on the clips of an archive.

Each class is compared with its nearest rivals, those from which the training clips differ least.
The analyst, which has measured the training clips, and the bundled class notes, which have not,
answer the same question. The notes' claims are also tested all together, and given to another
class, as a control. The authors' recorded answers have no typed claims: each "part moves" that is
understood in them is tested as "part speed more" than in all other classes, for the classes of the
archive that they describe under another name. Everything is tested on the training clips and on
the test clips of the archive's default split.

Example:
  python -m benchmarks.claims skeletons/utd_mhad --dialogues gpt4o_dialogues.zip --examples 2
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from skeletonagent.agents import prompts
from skeletonagent.agents.answers.content import check_answer
from skeletonagent.agents.evidence.analyst import Analyst
from skeletonagent.agents.evidence.claim_test import ClaimTester
from skeletonagent.agents.evidence.decisive_joints import DISTINGUISHING, decisive_joints
from skeletonagent.agents.evidence.effect_sizes import Evidence
from skeletonagent.agents.evidence.measured_clips import measure_labelled_clips
from skeletonagent.agents.evidence.verifier import claims as moving_parts
from skeletonagent.agents.released_dialogues import read_released_dialogues
from skeletonagent.cli.console import output, print_json
from skeletonagent.core.claim_results import ClaimResult, Verdict
from skeletonagent.core.claims import CENTRAL_PARTS, Claim
from skeletonagent.core.dialogue import Dialogue, Exchange, Step
from skeletonagent.core.errors import ChatError
from skeletonagent.core.layout import SkeletonLayout
from skeletonagent.core.motion_feature import MotionFeature
from skeletonagent.data.splits import choose_split
from skeletonagent.experiments.build_agents import bundled_chat
from skeletonagent.experiments.datasets import open_dataset, preprocess_dataset
from skeletonagent.llm.chat import Chat
from skeletonagent.llm.class_notes import bundled_class_notes, bundled_names, normalized_name

RIVALS = 3
"""Rivals of a class in a question."""
RECORDED: Mapping[str, Mapping[str, str]] = {
    "nturgbd_60": {
        "right hand wave": "hand waving", "two hand front clap": "clapping",
        "right arm throw": "throw", "sit to stand": "standing up (from sitting position)",
        "stand to sit": "sitting down", "pick up with one hand": "pickup", "drop trash": "drop",
        "sit down": "sitting down", "stand up": "standing up (from sitting position)",
        "throw": "throw", "donning": "wear jacket", "doffing": "take off jacket",
        "approaching": "walking towards each other",
        "departing": "walking apart from each other", "kicking": "kicking other person",
        "pushing": "pushing other person", "shaking hands": "handshaking",
        "hugging": "hugging other person", "exchanging object": "giving something to other person",
        "punching": "punching/slapping other person", "brush_hair": "brushing hair",
        "clap": "clapping", "pick": "pickup", "sit": "sitting down",
        "stand": "standing up (from sitting position)", "wave": "hand waving",
        "kick_ball": "kicking something", "jump": "jump up",
    },
    "nturgbd_120": {
        "basketball shoot": "shoot at the basket",
        "tennis right hand forehand swing": "tennis bat swing",
        "squat (two arms stretch out)": "squat down", "jogging in place": "running on the spot",
        "shoot_ball": "shoot at the basket", "run": "running on the spot",
    },
}  # fmt: skip
"""Classes of small data sets, and the names of the same actions in the recorded answers."""

_PARTS = {"torso": "trunk"}


@dataclass(frozen=True)
class Claims:
    """Claims of one source about the classes of an archive.

    Args:
        source: Who claims.
        by_class: Claims about each class that has some.
    """

    source: str
    by_class: Mapping[str, Sequence[Claim]]

    def tested(self, tester: ClaimTester) -> list[tuple[str, ClaimResult]]:
        """Return class and result of each claim; those about one class are tested together."""
        return [
            (action, result)
            for action, claims in self.by_class.items()
            for result in tester.test(action, claims)
        ]


def main(
    archive: Annotated[Path, typer.Argument(help="Skeleton archive.")],
    dialogues: Annotated[
        Path | None, typer.Option(help="The authors' recorded answers: their zip, or a folder.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="Examples of each verdict.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print counts as JSON.")] = False,
) -> None:
    """Test the claims of all sources, and print the shares."""
    data = preprocess_dataset(open_dataset(archive))
    split, store = choose_split(data, None)[1], data.store
    parts = {"training clips": split.train, "test clips": split.test}
    measured = {
        name: measure_labelled_clips(store, store.indices(ids)) for name, ids in parts.items()
    }
    evidence = Evidence.of(measured["training clips"])
    sources = [*claims_of_chats(evidence), *claims_of_notes(evidence)]
    if dialogues is not None:
        sources.append(recorded_claims(dialogues, store.class_names, store.layout))
    results = {
        (source.source, name): source.tested(ClaimTester(clips))
        for source in sources
        for name, clips in measured.items()
    }
    if as_json:
        rows = [_row(*key, of) for key, of in results.items()]
        print_json({"sources": rows, "joints": joint_counts(evidence)})
        return
    output.print(_table(results))
    for rule, (joints, chance, rest) in joint_counts(evidence).items():
        output.print(f"{rule}: {joints} joints named, {chance} within chance, {rest} at rest")
    for (source, name), tested in results.items():
        if name == "test clips" and examples:
            _print_examples(source, tested, examples)


def nearest_rivals(evidence: Evidence, action: str) -> tuple[str, ...]:
    """Return the classes that a class differs least from, the nearest first."""
    others = [name for name in evidence.class_names if name != action]
    sizes = {name: evidence.against(action, (name,)).size for name in others}
    distance = {name: float(np.abs(size).mean()) for name, size in sizes.items()}
    return tuple(sorted(others, key=distance.__getitem__)[:RIVALS])


def joint_counts(evidence: Evidence) -> dict[str, tuple[int, int, int]]:
    """Return how many joints the analyst names, and how many it would by the effects alone.

    Each class is compared with its nearest rival and with its three nearest.

    Returns:
        By rule, the number of joints, of those within chance and of those that keep still.
    """
    counts = {"beyond chance, moving first": Counter[str](), "by effect alone": Counter[str]()}
    for action in evidence.class_names:
        nearest = nearest_rivals(evidence, action)
        for rivals in (nearest[:1], nearest):
            effects = evidence.against(action, rivals)
            everything = replace(
                effects,
                beyond=np.ones_like(effects.beyond),
                moves=np.ones_like(effects.moves),
            )
            proven, _ = effects.ranked.proven
            for count, by in zip(counts.values(), (effects, everything), strict=True):
                named = decisive_joints(evidence.layout, by.ranked, *DISTINGUISHING)
                count["joints"] += len(named)
                count["chance"] += sum(not proven[joint] for joint in named)
                count["rest"] += sum(not effects.moves[joint] for joint in named)
    return {rule: (c["joints"], c["chance"], c["rest"]) for rule, c in counts.items()}


def claims_of_chats(evidence: Evidence) -> Iterator[Claims]:
    """Yield the claims of the analyst and of the bundled notes about the nearest rivals."""
    chats: dict[str, Chat] = {
        "analyst": Analyst(evidence),
        "bundled notes": bundled_chat(evidence.class_names),
    }
    rivals = {name: nearest_rivals(evidence, name) for name in evidence.class_names}
    for source, chat in chats.items():
        claims: dict[str, Sequence[Claim]] = {}
        for action in evidence.class_names:
            asked = prompts.question(
                Step.DISTINGUISH, action, evidence.layout, rivals[action], round_number=1
            )
            try:
                answer = chat.ask(asked, ())
            except ChatError:
                continue
            exchange = Exchange(asked, answer.text)
            claims[action] = check_answer(exchange, evidence.layout, parsed=answer.parsed).claims
        yield Claims(source, claims)


def claims_of_notes(evidence: Evidence) -> Iterator[Claims]:
    """Yield all claims of the bundled notes that describe most classes, and these given away.

    Given to the next class, whose action they do not describe, they show what chance bears out.
    Of these, only claims against all other classes are meant.
    """
    names = {normalized_name(name): name for name in evidence.class_names}
    notes_file = max(
        map(bundled_class_notes, bundled_names()),
        key=lambda one: len(names.keys() & {normalized_name(c.action) for c in one.classes}),
    )
    described = {
        names[normalized_name(notes.action)]: notes
        for notes in notes_file.classes
        if normalized_name(notes.action) in names
    }
    by_class = {name: list(map(Claim.parse, notes.claims)) for name, notes in described.items()}
    yield Claims("notes, against all", by_class)
    yield Claims(
        "notes, against rivals",
        {
            name: [
                Claim.parse(line, names[normalized_name(rival)])
                for contrast in notes.against
                for rival in contrast.rivals
                if normalized_name(rival) in names
                for line in contrast.claims
            ]
            for name, notes in described.items()
        },
    )
    actions = list(by_class)
    moved = dict(zip(actions, [*actions[1:], *actions[:1]], strict=True))
    yield Claims("notes, of another class", {a: by_class[moved[a]] for a in actions})


def recorded_claims(path: Path, class_names: Sequence[str], layout: SkeletonLayout) -> Claims:
    """Return what moves according to the recorded answers about classes of other names."""
    by_class: dict[str, Sequence[Claim]] = {}
    for dataset, other_names in RECORDED.items():
        wanted = {name: other_names[name] for name in class_names if name in other_names}
        if not wanted:
            continue
        collection = read_released_dialogues(path, dataset)
        found = {normalized_name(one.action): one for one in collection.dialogues}
        for name, other in wanted.items():
            by_class.setdefault(name, parts_said_to_move(found[normalized_name(other)]))
    return Claims("GPT-4o, recorded", by_class)


def parts_said_to_move(dialogue: Dialogue) -> list[Claim]:
    """Return each part that moves in the answers of a description, as more speed than elsewhere."""
    claims: list[Claim] = []
    for exchange in dialogue.exchanges:
        for line in exchange.answer.splitlines():
            for side, part in moving_parts(line, (dialogue.action,)):
                named = _PARTS.get(part, part)
                own = "" if named in CENTRAL_PARTS else side
                claims.append(Claim(named, own, MotionFeature.SPEED, more=True))
    return list(dict.fromkeys(claims))


def _row(source: str, name: str, tested: Sequence[tuple[str, ClaimResult]]) -> dict[str, object]:
    counts = Counter(result.verdict for _, result in tested)
    return {
        "source": source,
        "clips": name,
        "classes": len({action for action, _ in tested}),
        "claims": len(tested),
        **{verdict.value: counts[verdict] for verdict in Verdict},
    }


def _table(results: Mapping[tuple[str, str], Sequence[tuple[str, ClaimResult]]]) -> Table:
    table = Table("source", "clips", "classes", "claims", *Verdict, box=None)
    for key, tested in results.items():
        source, name, classes, claims, *counts = _row(*key, tested).values()
        shares = [f"{count} ({int(str(count)) / max(1, len(tested)):.0%})" for count in counts]
        table.add_row(str(source), str(name), str(classes), str(claims), *shares)
    return table


def _print_examples(source: str, tested: Sequence[tuple[str, ClaimResult]], number: int) -> None:
    for verdict in Verdict:
        chosen = [(action, one) for action, one in tested if one.verdict is verdict]
        for action, result in sorted(chosen, key=lambda item: -abs(item[1].effect or 0))[:number]:
            output.print(f"{source}: {action}: {result}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
