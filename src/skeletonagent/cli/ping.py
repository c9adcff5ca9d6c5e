"""``skeletonagent dialogues ping``: one question to a language model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from skeletonagent.cli.console import console, output, print_json, warnings_at_once
from skeletonagent.cli.options import SetOption

if TYPE_CHECKING:
    from skeletonagent.experiments.model_check import CheckedModel


def ping(
    chat: Annotated[
        str | None,
        typer.Argument(
            help="provider:model or NAME@ADDRESS; agents.chat of the configuration if left out.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        str, typer.Option("--config", help="A preset ('config show' lists them) or a YAML file.")
    ] = "default",
    set_: SetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Ask a language model one question: whether the key, the model and its answers are usable.

    Examples:
      skeletonagent dialogues ping openai:gpt-4o

      skeletonagent dialogues ping qwen3:8b@http://localhost:11434/v1
    """
    from skeletonagent.core.errors import SkeletonAgentError
    from skeletonagent.experiments.model_check import check_models
    from skeletonagent.experiments.recipes import PresetSize
    from skeletonagent.experiments.resolve import resolve_config

    given = [f"agents.chat={chat}"] if chat else []
    settings = resolve_config(config, PresetSize.SMALL, None, None, [*(set_ or []), *given]).agents
    console.print(
        f"asking {settings.chat} one question; a request may take {settings.provider.timeout:g} s",
        markup=False,
        soft_wrap=True,
    )
    checked = []
    with warnings_at_once():
        for model in check_models(settings):
            checked.append(model)
            if not as_json:
                _print(model)
    if as_json:
        print_json({"models": [asdict(model) for model in checked]})
    bad = [f"{model.model}: {model.problem}" for model in checked if model.problem]
    if bad:
        raise SkeletonAgentError("; ".join(bad))


def _print(model: CheckedModel) -> None:
    if model.problem:
        return
    at = f" at {model.address}" if model.address else ""
    line = (
        f"{model.model}{at} answers in {model.seconds:.1f} s, in the form {model.form!r}, after "
        f"{model.requests} request(s) and {model.tokens} tokens"
    )
    if not model.priced:
        line += "; its price is not known, so that agents.max_dollars cannot be kept"
    output.print(line, markup=False, soft_wrap=True)
    output.print(f"  {model.answer}", markup=False, soft_wrap=True)
