"""Actions that a trained recognizer learns from examples or descriptions, without a training.

Of examples, an action is one more row of the class head: the direction from the mean of all
training clips to the mean of the examples, in units of how clips of one class vary, so scaled and
shifted that the examples score as high as training clips do for their own class, and higher than
for any class. How descriptions count is in ``described_actions``. Rows and descriptions are kept in
a small file in the run directory; the weights stay as they are.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from skeletonagent.core.errors import CheckpointError, ConfigError, DataError
from skeletonagent.core.files import write_text
from skeletonagent.core.guidance import ClassGuidance
from skeletonagent.core.input_format import InputFormat
from skeletonagent.core.json_files import JsonRecord, read_json
from skeletonagent.core.outside_text import printable_line
from skeletonagent.inference.described_actions import ActionDescription, RecordedActionDescription
from skeletonagent.inference.stream_model import StreamModel
from skeletonagent.models.recognizer import ClassHead, Recognizer
from skeletonagent.training.initial_weights import weights_digest
from skeletonagent.training.run_directory import RunDirectory

TAKEN_SHARE = 0.05
"""Largest share of the training clips of other classes that an added action may take."""


class RecordedAction(JsonRecord):
    """Action in ``actions.json``."""

    name: str
    examples: int
    weight: list[float]
    bias: float
    description: RecordedActionDescription | None = None


class RecordedActions(JsonRecord):
    """Content of ``actions.json``."""

    recognizer: str
    actions: list[RecordedAction]
    input_format: dict[str, Any] | None = None
    persons: int = 1


@dataclass(frozen=True)
class ExampleFormat:
    """Format of the examples that are added to a base.

    Args:
        input_format: Joints and channels.
        persons: Bodies that an example has room for.
    """

    input_format: InputFormat
    persons: int = 1


@dataclass(frozen=True)
class AddedAction:
    """Row of a class head for an action, its description, or both.

    Args:
        name: Name of the action.
        examples: Number of clips that it was learned from.
        weight: Weights of the features; none without examples.
        bias: Logit where all features are zero.
        description: Description of the action, if there is one.
    """

    name: str
    examples: int
    weight: tuple[float, ...]
    bias: float
    description: ActionDescription | None = None

    @property
    def made_of(self) -> str:
        """What the action was learned from, in words."""
        examples = f"{self.examples} example{'' if self.examples == 1 else 's'}"
        if self.description is None:
            return examples
        count = len(self.description.claims)
        claims = f"{count} claim{'' if count == 1 else 's'}"
        return f"{examples} and {claims}" if self.examples else claims

    def to_json(self) -> dict[str, Any]:
        """Return the action as plain values."""
        plain = {key: getattr(self, key) for key in ("name", "examples", "weight", "bias")}
        return plain | {"description": self.description and self.description.to_json()}


@dataclass(frozen=True)
class TrainingFeatures:
    """Features of training clips, which examples are compared with.

    Args:
        features: Features of each clip.
        labels: Class of each clip.
        logits: Logits of each clip.
    """

    features: Float[Tensor, "n d"]
    labels: Int[Tensor, " n"]
    logits: Float[Tensor, "n y"]

    def action(
        self, name: str, examples: Float[Tensor, "k d"], rivals: Float[Tensor, "k y"]
    ) -> AddedAction:
        """Return the action that examples show.

        Args:
            name: Name of the action.
            examples: Features of its clips, at least one.
            rivals: Logits of its clips for the classes that there are.
        """
        center, own = self.features.mean(dim=0), examples.mean(dim=0)
        direction = (own - center) / self._variances()
        reach = ((own - center) @ direction).clamp(min=1e-6)
        high, low = self._usual_logits()
        won = rivals.amax(dim=1).mean() + (high - low) / 2  # where examples beat their rivals
        weight = direction * (torch.maximum(high, won) - low) / reach
        bias = low - weight @ center
        others = self.logits.amax(dim=1) - (self.features @ weight + bias)
        margin = others.quantile(TAKEN_SHARE)  # negative where more would be taken
        return AddedAction(
            name, len(examples), tuple(weight.tolist()), float(bias + margin.clamp(max=0))
        )

    def _variances(self) -> Float[Tensor, " d"]:
        """Return the variance of each feature within classes, not below half of the mean one."""
        means = torch.zeros(self.logits.shape[1], self.features.shape[1])
        counts = torch.bincount(self.labels, minlength=len(means)).clamp(min=1)
        means = means.index_add(0, self.labels, self.features) / counts[:, None]
        within = (self.features - means[self.labels]).square().mean(dim=0)
        return within + 0.5 * within.mean().clamp(min=1e-6)

    def _usual_logits(self) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return the mean logit of a clip's own class, and that of the others."""
        own = self.logits.gather(1, self.labels[:, None]).squeeze(1)
        others = (self.logits.sum(dim=1) - own) / max(1, self.logits.shape[1] - 1)
        return own.mean(), others.mean()


def read_actions(run: RunDirectory, model: StreamModel) -> tuple[AddedAction, ...]:
    """Return the actions that were added to a run, none if there is no such file.

    Raises:
        DataError: If the file is damaged.
        CheckpointError: If the run was trained on since.
    """
    if not run.actions.exists():
        return ()
    value = read_json(run.actions, RecordedActions)
    if value["recognizer"] != weights_digest(model.recognizer):
        raise CheckpointError(
            f"{run.actions} is of other weights than {run.path} has now; remove the file, and add "
            "its actions again with 'skeletonagent actions add'"
        )
    width = model.recognizer.readout.out_channels
    for item in value["actions"]:
        if len(item["weight"]) != (width if item["examples"] else 0):
            raise DataError(f"is damaged: an action has {len(item['weight'])} weights, not {width}",
                            path=run.actions)  # fmt: skip
    try:
        return tuple(map(_read_action, value["actions"]))
    except ValueError as error:
        raise DataError(f"is damaged: {error}", path=run.actions) from error


def _read_action(item: dict[str, Any]) -> AddedAction:
    """Return an action of the file.

    Raises:
        ValueError: If its description is damaged, or there is nothing that it is known by.
    """
    name, plain = printable_line(item["name"]), item.get("description")
    if not item["examples"] and plain is None:
        raise ValueError(f"{name!r} has neither examples nor a description")
    description = None if plain is None else ActionDescription.from_json(name, plain)
    return AddedAction(name, item["examples"], tuple(item["weight"]), item["bias"], description)


def read_example_format(run: RunDirectory) -> ExampleFormat | None:
    """Return the format of the examples that were added to a base; None without any.

    Raises:
        DataError: If the file is damaged.
    """
    value = read_json(run.actions, RecordedActions) if run.actions.exists() else {}
    plain = value.get("input_format")
    try:
        if plain is None:
            return None
        return ExampleFormat(InputFormat.from_json(plain), max(1, value.get("persons", 1)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"is damaged: input_format: {error!r}", path=run.actions) from error


def write_actions(
    run: RunDirectory,
    model: StreamModel,
    actions: Sequence[AddedAction],
    examples_of: ExampleFormat | None = None,
) -> None:
    """Write the actions that are added to a run; without any, remove the file.

    Args:
        run: The run.
        model: Its recognizer.
        actions: The actions.
        examples_of: Format of the examples, if the run is a base.
    """
    if not actions:
        run.actions.unlink(missing_ok=True)
        return
    value: dict[str, Any] = {
        "recognizer": weights_digest(model.recognizer),
        "actions": [action.to_json() for action in actions],
    }
    if examples_of is not None:
        value["input_format"] = examples_of.input_format.to_json()
        value["persons"] = examples_of.persons
    write_text(run.actions, json.dumps(value, indent=1))


def require_new_name(name: str, class_names: Sequence[str]) -> str:
    """Return the name of an action, without characters that cannot be printed.

    Raises:
        ConfigError: If it is empty, or a class of that name is there.
    """
    clean = printable_line(name.strip())
    if not clean:
        raise ConfigError("an action needs a name")
    if clean in class_names:
        raise ConfigError(f"{clean!r} is a class of the run already; choose another name")
    return clean


def with_added_actions(model: StreamModel, actions: Sequence[AddedAction]) -> StreamModel:
    """Return a recognizer that knows further actions.

    Args:
        model: The recognizer, which stays as it is.
        actions: Actions; they follow its classes, those without examples last.
    """
    if not actions:
        return model
    shown = [action for action in actions if action.examples]
    actions = [*shown, *(action for action in actions if not action.examples)]
    recognizer = _with_rows(model.recognizer, shown) if shown else model.recognizer
    names = tuple(action.name for action in actions)
    guidance = model.guidance
    added = tuple(ClassGuidance(action=name, joints=(), sentence=name) for name in names)
    described = any(action.description for action in actions)
    return replace(
        model,
        recognizer=recognizer,
        metadata=replace(model.metadata, class_names=model.metadata.class_names + names),
        guidance=replace(guidance, classes=guidance.classes + added),
        descriptions=tuple(action.description for action in actions) if described else (),
    )


def _with_rows(recognizer: Recognizer, actions: Sequence[AddedAction]) -> Recognizer:
    """Return a copy whose class head has further rows."""
    recognizer = copy.deepcopy(recognizer)
    head = recognizer.cls_head
    rows = torch.tensor([action.weight for action in actions])
    biases = torch.tensor([action.bias for action in actions])
    longer = ClassHead(head.fc.in_features, head.fc.out_features + len(actions), head.dropout.p)
    with torch.no_grad():
        longer.fc.weight.copy_(torch.cat([head.fc.weight.cpu(), rows]))
        longer.fc.bias.copy_(torch.cat([head.fc.bias.cpu(), biases]))
    recognizer.cls_head = longer.to(head.fc.weight.device).eval()
    return recognizer


def class_logits(
    head: ClassHead | nn.Module, features: Float[Tensor, "n d"]
) -> Float[Tensor, "n y"]:
    """Return the logits of features on the host, without gradients."""
    with torch.inference_mode():
        logits: Tensor = head(features.to(next(head.parameters()).device)).cpu()
    return logits
