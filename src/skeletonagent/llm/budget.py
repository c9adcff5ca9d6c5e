"""What language models may cost, what they have cost, and what they charge."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from skeletonagent.llm.settings import is_local


@dataclass(frozen=True)
class Spent:
    """What was spent on language models.

    Args:
        requests: Requests sent, failed ones included.
        input_tokens: Tokens read by the models.
        output_tokens: Tokens written by the models.
        dollars: The price of the tokens whose price is known.
        unpriced: Tokens whose price is not known.
    """

    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float = 0.0
    unpriced: int = 0

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.requests + other.requests,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.dollars + other.dollars,
            self.unpriced + other.unpriced,
        )


class Budget:
    """Limits that all chats of a run share; safe to use from several threads.

    The limit on requests is exact. Tokens and dollars are known only afterwards, so that requests
    under way when such a limit is reached go beyond it.

    Args:
        requests: Most requests, or None.
        tokens: Most tokens, read and written, or None.
        dollars: Highest price, or None.
    """

    def __init__(
        self,
        requests: int | None = None,
        tokens: int | None = None,
        dollars: float | None = None,
    ) -> None:
        self.requests, self.tokens, self.dollars = requests, tokens, dollars
        self._by_model: dict[str, Spent] = {}
        self._lock = Lock()

    @property
    def spent(self) -> Spent:
        """What was spent so far."""
        return sum(self.by_model.values(), Spent())

    @property
    def by_model(self) -> dict[str, Spent]:
        """What was spent so far on each model."""
        with self._lock:
            return dict(self._by_model)

    def reserve(self, model: str) -> str | None:
        """Count a request that is about to be sent; return the limit in its way, if any.

        Where a limit is in the way, nothing is counted and nothing may be sent.
        """
        with self._lock:
            spent = sum(self._by_model.values(), Spent())
            limits = (
                (spent.requests, self.requests, "requests"),
                (spent.tokens, self.tokens, "tokens"),
                (spent.dollars, self.dollars, "dollars"),
            )
            for used, limit, unit in limits:
                if limit is not None and used >= limit:
                    return f"the budget of {limit:g} {unit} is spent"
            self._add(model, Spent(requests=1))
            return None

    def record(
        self, model: str, input_tokens: int, output_tokens: int, dollars: float | None
    ) -> None:
        """Add what a request came to; ``dollars`` is None where the price is not known."""
        tokens = input_tokens + output_tokens
        with self._lock:
            self._add(
                model,
                Spent(
                    input_tokens=input_tokens,
                    output_tokens=output_tokens,
                    dollars=dollars or 0.0,
                    unpriced=tokens if dollars is None else 0,
                ),
            )

    def recall(self, model: str, spent: Spent) -> None:
        """Add what was spent on a model before, for instance until a run was interrupted."""
        with self._lock:
            self._add(model, spent)

    def _add(self, model: str, spent: Spent) -> None:
        self._by_model[model] = self._by_model.get(model, Spent()) + spent


def price(
    model: str, input_tokens: int, output_tokens: int, base_url: str | None = None
) -> float | None:
    """Return what tokens cost in dollars; None where the price is not known, 0 on a local server.

    Args:
        model: ``provider:model``, or the bare name of a model behind ``base_url``.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        base_url: Where the model is asked, if not at the provider.
    """
    if base_url is not None and is_local(base_url):
        return 0.0
    # The table of prices takes a moment to load, which runs without a language model are spared.
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        if base_url is not None:
            return float(calc_price(usage, model, provider_api_url=base_url).total_price)
        provider, _, name = model.partition(":")
        provider = provider.removesuffix("-chat").removesuffix("-responses")
        return float(calc_price(usage, name, provider_id=provider).total_price)
    except LookupError:
        return None
