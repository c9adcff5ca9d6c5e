"""Actions added to a run from files of examples and descriptions, and taken away again."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from skeletonagent.core.clips import SkeletonSequence
from skeletonagent.core.errors import ConfigError, DataError
from skeletonagent.experiments.fine_tuning import PACKAGED_BASE, read_source
from skeletonagent.experiments.pretraining import exported_base
from skeletonagent.inference.added_actions import (
    AddedAction,
    ExampleFormat,
    class_logits,
    read_actions,
    read_example_format,
    require_new_name,
    with_added_actions,
    write_actions,
)
from skeletonagent.inference.base_actions import (
    base_in_format,
    format_of_examples,
    mean_of_examples,
    recognizing_actions,
)
from skeletonagent.inference.base_examples import (
    beside_classifier,
    clips_of_examples,
    keep_examples,
    read_examples,
    room_for_bodies,
    stored_examples,
)
from skeletonagent.inference.class_descriptions import read_description
from skeletonagent.inference.compared_clips import ComparedClips
from skeletonagent.inference.predictor import Predictor, load_predictor
from skeletonagent.inference.samples import holds_samples, most_seen_bodies
from skeletonagent.inference.stream_model import StreamModel, newest_checkpoint
from skeletonagent.llm.chat import Chat
from skeletonagent.training.run_directory import RunDirectory


def add_action(
    run: str | Path,
    name: str,
    examples: Sequence[str | Path] = (),
    *,
    describe: str = "",
    chat: Chat | None = None,
    data: str | Path | None = None,
    base: str | Path | None = None,
) -> AddedAction:
    """Teach a run an action from examples, a description or both, and return it.

    Nothing is trained. A base tells the actions that were added to it apart, and nothing else, by
    their examples, which are kept in its folder; no archive is needed.

    Args:
        run: Run directory.
        name: Name of the action.
        examples: Files of clips or recordings of the action alone, as ``predict`` takes them.
        describe: Claims such as ``right hand height more; both feet speed less than jump``, or the
            name of a class that is described in bundled notes, or free words.
        chat: Language model that turns free words into claims.
        data: Archive of the training, if it is not where it was.
        base: Base that is copied to ``run`` if it is not there yet: a run, or ``base`` for that of
            the package.

    Raises:
        ConfigError: If the name is taken, there are neither examples nor claims, the run is of
            several streams, or a base is named and it is none, or ``run`` is another run.
        CheckpointError: If there is no such run.
        DataError: If a file cannot be read, or the archive is gone.
    """
    if base is not None:
        copy_base(base, Path(run).expanduser())
    predictor, directory = _single_run(run)
    model = predictor.torch_models[0]
    known = read_actions(directory, model)
    classes = () if _is_base(model) else predictor.class_names
    clean = require_new_name(name, [*classes, *(action.name for action in known)])
    files = [Path(file).expanduser() for file in examples]
    if not files and not describe.strip():
        raise ConfigError("an action needs at least one example or a description; name its files")
    if _is_base(model):
        if describe.strip():
            raise ConfigError("a base knows actions by examples alone; describe them to a run")
        return _add_to_base(predictor, directory, clean, files)
    description = (
        read_description(clean, describe, predictor.class_names, predictor.layout, chat)
        if describe.strip()
        else None
    )
    clips = ComparedClips.of_run(model, data)
    action = AddedAction(clean, 0, (), 0.0)
    if files:
        features = torch.cat([_example_features(predictor, file) for file in files])
        rivals = class_logits(model.recognizer.cls_head, features)
        action = clips.features.action(clean, features, rivals)
    if description is not None:
        action = clips.described(action, description)
    write_actions(directory, model, [*known, action])
    return action


def _add_to_base(
    predictor: Predictor, directory: RunDirectory, name: str, files: Sequence[Path]
) -> AddedAction:
    """Teach a base an action from examples, and give all examples room for their most bodies."""
    model = predictor.torch_models[0]
    known = read_actions(directory, model)
    before = read_example_format(directory) or ExampleFormat(format_of_examples(files[0]))
    given, taking = before.input_format, _in_format(predictor, before)
    read = [sample for file in files for sample in read_examples(taking, file)]
    earlier: dict[str, list[SkeletonSequence]] = {action.name: [] for action in known}
    stored = stored_examples(directory, list(earlier))
    for of, sample in stored:
        earlier[of].append(sample)
    room = max(before.persons, room_for_bodies(read, given.coordinates))
    if not all(earlier.values()):  # those that an earlier version did not keep
        room = before.persons
    samples = [most_seen_bodies(sample, given, room) for sample in read]
    examples_of = ExampleFormat(given, room)
    (fitted,) = _in_format(predictor, examples_of).torch_models
    if room > before.persons:
        known = tuple(_mean_of_examples(fitted, *one) for one in earlier.items())
    action = _mean_of_examples(fitted, name, samples)
    write_actions(directory, model, [*known, action], examples_of)
    names = [*earlier, name]
    kept = [*stored, *((name, sample) for sample in samples)]
    keep_examples(directory, fitted, read_source(directory.path), names, kept)
    return action


def _mean_of_examples(
    base: StreamModel, name: str, samples: Sequence[SkeletonSequence]
) -> AddedAction:
    return mean_of_examples(name, torch.from_numpy(base.sample_features(samples)))


def copy_base(base: str | Path, folder: Path) -> None:
    """Write the weights of a base to a folder, where they are not there already.

    Args:
        base: Run of a pre-training, or ``base`` for that of the package.
        folder: Folder, in which actions that are added are kept as well.

    Raises:
        ConfigError: If it is no base, or the folder holds another run.
        CheckpointError: If the base cannot be read, or the folder cannot be written.
    """
    source = read_source(base)
    if not source.is_base:
        raise ConfigError(f"{base} is no base; name a run that 'skeletonagent pretrain' wrote")
    there, wanted = newest_checkpoint(folder), exported_base(source)
    if there is None:
        RunDirectory(folder).checkpoints.save(wanted)
    elif there.tensors.keys() != wanted.tensors.keys() or not all(
        torch.equal(there.tensors[name], tensor) for name, tensor in wanted.tensors.items()
    ):
        raise ConfigError(f"{folder} holds another run; leave out the base to add to that one")


def list_actions(run: str | Path) -> tuple[AddedAction, ...]:
    """Return the actions that were added to a run.

    Raises:
        CheckpointError: If there is no such run, or it was trained on since.
        DataError: If their file is damaged.
    """
    predictor, directory = _single_run(run)
    return read_actions(directory, predictor.torch_models[0])


def remove_action(run: str | Path, name: str) -> None:
    """Take away an action that was added to a run.

    Raises:
        ConfigError: If none of that name was added.
        CheckpointError: If there is no such run.
    """
    predictor, directory = _single_run(run)
    model = predictor.torch_models[0]
    known = read_actions(directory, model)
    kept = [action for action in known if action.name != name]
    if len(kept) == len(known):
        added = ", ".join(action.name for action in known) or "none"
        raise ConfigError(f"no action {name!r} was added to {directory.path}; there are: {added}")
    examples_of = read_example_format(directory)
    write_actions(directory, model, kept, examples_of)
    if examples_of is not None:
        (fitted,) = _in_format(predictor, examples_of).torch_models
        names = [action.name for action in kept]
        stored = stored_examples(directory, names)
        keep_examples(directory, fitted, read_source(directory.path), names, stored)


def knowing_actions(predictor: Predictor) -> Predictor:
    """Return the recognizer of a run that knows the actions, too, that were added to the run.

    A base to which some were added knows these alone.

    Raises:
        ConfigError: If it is a base without classes, to which none was added.
        DataError: If their file is damaged.
        CheckpointError: If the run was trained on since.
    """
    if len(predictor.models) > 1 or not predictor.runs:
        return predictor
    (model,) = predictor.torch_models
    directory = RunDirectory(predictor.runs[0])
    actions = read_actions(directory, model)
    if not actions and _is_base(model) and not model.recognizer.cls_head.fc.weight.any():
        raise ConfigError(
            f"{directory.path} is a base and knows no action yet; teach it some with "
            f"'skeletonagent actions add {directory.path} NAME --examples FILE'"
        )
    examples_of = read_example_format(directory)
    if actions and examples_of is not None:
        (base,) = _in_format(predictor, examples_of).torch_models
        clips = clips_of_examples(directory)
        base = replace(base, metadata=replace(base.metadata, training_clips=clips))
        # Without runs: what the base held out was of other classes.
        known = beside_classifier(recognizing_actions(base, actions), directory)
        return replace(predictor, models=(known,), runs=())
    return replace(predictor, models=(with_added_actions(model, actions),))


def knowing_examples(predictor: Predictor) -> Predictor:
    """Return :func:`knowing_actions` without descriptions, which an exported file cannot hold.

    What is left out is said in a warning.
    """
    known = knowing_actions(predictor)
    described = [
        name
        for model in known.models
        if isinstance(model, StreamModel) and model.descriptions
        for name in model.metadata.class_names[-len(model.descriptions) :]
    ]
    if not described:
        return known
    (model,) = (one for one in predictor.torch_models if isinstance(one, StreamModel))
    actions = read_actions(RunDirectory(predictor.runs[0]), model)
    left_out = [action.name for action in actions if not action.examples]
    part = [action.name for action in actions if action.examples and action.description]
    for names, what in ((left_out, "left out"), (part, "known by their examples alone")):
        if names:
            warnings.warn(
                f"descriptions cannot be exported: {', '.join(names)} {what}", stacklevel=2
            )
    kept = [replace(action, description=None) for action in actions if action.examples]
    return replace(predictor, models=(with_added_actions(model, kept),))


def _is_base(model: StreamModel) -> bool:
    return bool(model.metadata.sources)


def _in_format(base: Predictor, examples_of: ExampleFormat) -> Predictor:
    """Return a base that takes clips of another layout."""
    model = base_in_format(base.torch_models[0], read_source(base.runs[0]), examples_of)
    return replace(base, models=(model,))


def _single_run(run: str | Path) -> tuple[Predictor, RunDirectory]:
    if str(run) == PACKAGED_BASE and not Path(run).exists():
        raise ConfigError(
            "the base of the package stays as it is; name a folder of yours, and let it begin with "
            "a copy: skeletonagent actions add runs/actions NAME --examples FILE --base base"
        )
    predictor = load_predictor(run, "cpu")
    if len(predictor.models) > 1:
        raise ConfigError(f"{run} holds runs of several streams; actions are added to one of them")
    return predictor, RunDirectory(predictor.runs[0])


def _example_features(predictor: Predictor, file: Path) -> torch.Tensor:
    """Return the features of the clips in a file."""
    source = file if holds_samples(file) else predictor.segmenter.arrays(file)
    features = torch.from_numpy(predictor.features(source))
    if not len(features):
        raise DataError("holds no example", path=file)
    return features
