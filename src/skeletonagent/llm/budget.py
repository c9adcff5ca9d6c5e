"""Budget of language models: limits, what was spent, and prices."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from skeletonagent.llm.settings import is_local


@dataclass(frozen=True)
class Spent:
    """Requests, tokens and dollars spent on language models.

    Args:
        requests: Requests sent, failed ones included.
        input_tokens: Tokens read by the models.
        output_tokens: Tokens written by the models.
        dollars: Price of the tokens with a known price, in US dollars.
        unpriced: Number of tokens without a known price.
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

    The limit on requests is exact. Tokens and dollars are known only after a request, so that
    requests under way when such a limit is reached exceed it.

    Args:
        requests: Largest number of requests; None for no limit.
        tokens: Largest number of tokens, read and written; None for no limit.
        dollars: Highest price in US dollars; None for no limit.
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
        """The sum spent so far."""
        return sum(self.by_model.values(), Spent())

    @property
    def by_model(self) -> dict[str, Spent]:
        """The sum spent so far by model."""
        with self._lock:
            return dict(self._by_model)

    def reserve(self, model: str) -> str | None:
        """Count a request that is about to be sent; return the limit that is reached, if any.

        Once a limit is reached, nothing is counted and nothing may be sent.
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
        """Add the tokens of a request; ``dollars`` is None if the price is unknown."""
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
        """Add what was spent on a model before, for example until a run was interrupted."""
        with self._lock:
            self._add(model, spent)

    def _add(self, model: str, spent: Spent) -> None:
        self._by_model[model] = self._by_model.get(model, Spent()) + spent


def price(
    model: str, input_tokens: int, output_tokens: int, base_url: str | None = None
) -> float | None:
    """Return the price of tokens in US dollars; None if it is unknown, 0 on a local server.

    Args:
        model: ``provider:model``, or the name of a model at ``base_url`` alone.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        base_url: Address of the server, if it is not the provider's.
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
