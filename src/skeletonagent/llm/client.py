"""Connection to a language model, by a library that supports every large provider.

The library's own retries are off, so that every request is counted and every failure is recorded;
its errors become a :class:`Fault` whose text holds no secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic_ai import exceptions
from pydantic_ai.direct import model_request
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from skeletonagent.core.errors import ConfigError
from skeletonagent.core.outside_text import printable_line
from skeletonagent.llm.answer_schemas import AnswerSchema
from skeletonagent.llm.background import run_coroutine
from skeletonagent.llm.messages import Message, Speaker
from skeletonagent.llm.provider_models import build_model, key_variable, read_key
from skeletonagent.llm.retry import REFUSAL, Fault, Remedy
from skeletonagent.llm.secrets import without_secrets
from skeletonagent.llm.settings import LanguageModel
from skeletonagent.llm.transport import OversizedAnswerError


class Output(StrEnum):
    """Form of a model's output."""

    TOOL = "tool"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


@dataclass(frozen=True)
class Reply:
    """Reply to one request.

    Args:
        text: Text of the answer, as JSON unless plain text was asked for.
        input_tokens: Tokens read by the model.
        output_tokens: Tokens written by the model.
        refused: Whether the provider marked it as a refusal.
        cut: Whether the answer was cut off at the largest number of tokens.
        oversized: Whether the text is far longer than any answer, and only its beginning is here.
    """

    text: str
    input_tokens: int
    output_tokens: int
    refused: bool = False
    cut: bool = False
    oversized: bool = False


_SHOWN = 200
"""Longest excerpt of a server's error in a message, in characters."""
_NO_MODEL = re.compile(r"model\b.{0,120}(?:not found|not exist|unknown|no such)", re.I | re.S)
_FILTERED = ("content_filter", "content_policy_violation", "invalid_prompt")
_INCAPABLE = (400, 404, 422, 501)
"""HTTP statuses of servers that do not support a form of output."""
_PASSING = (408, 409, 425, 429)
"""HTTP statuses of faults that pass, besides those of the server itself."""
LONGEST_REPLY = 20_000
"""Longest text of a reply that is read, in characters; JSON has twice those of its answer."""
_THOUGHTS_BEGIN = re.compile(r"\s*(?:<(?:think|thinking|thought|reasoning)>|\[THINK\]|◁think▷)")
_THOUGHTS_END = re.compile(r"</(?:think|thinking|thought|reasoning)>|\[/THINK\]|◁/think▷")
_SUGGESTED = {"tool": Output.TOOL, "native": Output.JSON_SCHEMA, "prompted": Output.JSON_OBJECT}


class Connection:
    """Connection to a model of a provider, or of a server given by its address.

    Args:
        settings: The model and the settings of requests to it.

    Raises:
        ConfigError: If the model or its provider is unknown, or a key is missing or no key.
    """

    def __init__(self, settings: LanguageModel) -> None:
        self._settings = settings
        self.key_variable = key_variable(settings)
        try:
            self._model = build_model(settings, read_key(self.key_variable))
        except (exceptions.UserError, ImportError, ValueError) as error:
            problem = without_secrets(str(error).partition(" To try Pydantic AI")[0])
            raise ConfigError(f"language model {settings.model!r}: {problem}") from None

    @property
    def model(self) -> str:
        """The model's name at its server."""
        return self._model.model_name

    @property
    def address(self) -> str:
        """Address of the server; empty if it is unknown."""
        return self._model.base_url or ""

    def outputs(self) -> tuple[Output, ...]:
        """Return the supported forms of output, the one the model does best first."""
        profile = self._model.profile
        supported = {
            Output.TOOL: profile.get("supports_tools", True),
            Output.JSON_SCHEMA: profile.get("supports_json_schema_output", False),
            Output.JSON_OBJECT: profile.get("supports_json_object_output", False),
            Output.TEXT: True,
        }
        best = _SUGGESTED.get(profile.get("default_structured_output_mode", "tool"), Output.TOOL)
        return tuple(dict.fromkeys(output for output in (best, *Output) if supported[output]))

    def send(
        self, conversation: Sequence[Message], form: type[AnswerSchema], output: Output
    ) -> Reply:
        """Return the model's reply; blocks, and may be called from several threads.

        Raises:
            Fault: If there is no answer.
        """
        try:
            response = run_coroutine(self._request(conversation, form, output))
        except Exception as error:  # whatever a provider's library raises must not end a training
            fault = self._fault(error)
        else:
            return _reply(response, output)
        # Raised here, it does not drag along the original, whose words may hold the key.
        raise fault

    async def _request(
        self, conversation: Sequence[Message], form: type[AnswerSchema], output: Output
    ) -> ModelResponse:
        settings = ModelSettings(
            temperature=self._settings.temperature, request_timeout=self._settings.timeout
        )
        if self._settings.max_tokens is not None:
            settings["max_tokens"] = self._settings.max_tokens
        if "max_retries" not in self._model.unsupported_settings:
            settings["max_retries"] = 0
        return await model_request(
            self._model,
            _messages(conversation),
            model_settings=settings,
            model_request_parameters=_parameters(form, output),
        )

    def _fault(self, error: Exception) -> Fault:
        words = printable_line(" ".join(without_secrets(_words(error)).split()), _SHOWN)
        if isinstance(error, exceptions.ModelHTTPError):
            return self._refused(error, words)
        if isinstance(error, (exceptions.ModelRequestTimeout, exceptions.ModelTimeoutError)):
            problem = f"no answer within {self._settings.timeout:g} seconds (timeout)"
            return Fault("timeout", problem, Remedy.WAIT)
        if isinstance(error, exceptions.ModelConnectionError):
            return Fault("connection", f"the connection failed: {words}", Remedy.WAIT)
        if isinstance(error, OversizedAnswerError):
            return Fault("too long", words, Remedy.REPEAT)
        if isinstance(error, exceptions.UnexpectedModelBehavior):
            # The same request would get the same answer, in a form that is not the library's.
            return Fault("malformed", f"the answer cannot be read: {words}", Remedy.REPEAT)
        return Fault("malformed", f"the server's answer cannot be read: {words}", Remedy.WAIT)

    def _refused(self, error: exceptions.ModelHTTPError, words: str) -> Fault:
        """Return the fault behind an HTTP status."""
        status, code = error.status_code, f"http {error.status_code}"
        problem, remedy = f"the server answered {status}: {words}", Remedy.NONE
        if error.provider_error_code in _FILTERED:
            code = REFUSAL
        elif isinstance(error, exceptions.ModelAuthenticationError):
            problem = f"{problem}; the key is taken from {self.key_variable}"
        elif isinstance(
            error, (exceptions.ModelQuotaExceededError, exceptions.ModelContextWindowExceededError)
        ) or (status == 404 and _names_no_model(error)):
            pass
        elif status in _INCAPABLE:
            remedy = Remedy.REFORM
        elif status in _PASSING or status >= 500:
            remedy = Remedy.WAIT
        return Fault(code, problem, remedy, wait=error.retry_after or 0.0, status=status)


def _words(error: Exception) -> str:
    """Return the server's message about an error, or else the library's."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else body
    return str(message or error) or type(error).__name__


def _names_no_model(error: exceptions.ModelHTTPError) -> bool:
    return error.provider_error_code == "model_not_found" or bool(_NO_MODEL.search(str(error.body)))


def _messages(conversation: Sequence[Message]) -> list[ModelMessage]:
    # As instructions, the role can be put together with a schema, where one message is the limit.
    role = "\n".join(text for speaker, text in conversation if speaker is Speaker.SYSTEM)
    return [
        ModelResponse(parts=[TextPart(text)])
        if speaker is Speaker.ASSISTANT
        else ModelRequest(parts=[UserPromptPart(text)], instructions=role)
        for speaker, text in conversation
        if speaker is not Speaker.SYSTEM
    ]


def _parameters(form: type[AnswerSchema], output: Output) -> ModelRequestParameters:
    schema, name = form.model_json_schema(), form.__name__
    if output is Output.TOOL:
        tool = ToolDefinition(
            name=name, parameters_json_schema=schema, description=form.__doc__, kind="output"
        )
        return ModelRequestParameters(
            output_mode="tool", output_tools=[tool], allow_text_output=False
        )
    if output is Output.TEXT:
        return ModelRequestParameters()
    return ModelRequestParameters(
        output_mode="native" if output is Output.JSON_SCHEMA else "prompted",
        output_object=OutputObjectDefinition(
            json_schema=schema, name=name, description=form.__doc__
        ),
    )


def _reply(response: ModelResponse, output: Output) -> Reply:
    words = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    if output is Output.TOOL and calls:
        arguments = calls[0].args
        words = arguments if isinstance(arguments, str) else calls[0].args_as_json_str()
    text = _after_thoughts(words or str((response.provider_details or {}).get("refusal", "")))
    return Reply(
        text=without_secrets(text[:LONGEST_REPLY]),
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
        refused=response.finish_reason == "content_filter",
        cut=response.finish_reason == "length",
        oversized=len(text) > LONGEST_REPLY,
    )


def _after_thoughts(text: str) -> str:
    """Return what follows a model's thoughts, whose beginning a server may have left out."""
    if _THOUGHTS_BEGIN.match(text) and not _THOUGHTS_END.search(text):
        return ""
    return _THOUGHTS_END.split(text)[-1]
