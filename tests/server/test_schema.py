"""The description in OpenAPI, tried by schemathesis: answers are of their forms, never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance
from tests.server.serving import Served

ROUTES = ("/health", "/metrics", "/model", "/predict")


@pytest.mark.parametrize("route", ROUTES)
def test_schemathesis_finds_nothing(server: Served, route: str) -> None:
    described = json.loads(server.ask("/openapi.json").content)
    schema = schemathesis.openapi.from_dict(described)
    method = "POST" if route == "/predict" else "GET"
    operation = schema[route][method]
    address = f"http://127.0.0.1:{server.port}"

    @seed(7)
    @settings(
        max_examples=25 if route == "/predict" else 3,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        response = case.call(base_url=address)
        try:
            # What a body must be beyond its form, such as as many joints as the skeleton has, no
            # schema says.
            case.validate_response(response, excluded_checks=[positive_data_acceptance])
        except FailureGroup as failures:
            raise AssertionError(str(failures.exceptions)) from None

    check()


def test_routes_are_described(server: Served) -> None:
    described = json.loads(server.ask("/openapi.json").content)
    assert set(described["paths"]) == set(ROUTES)
    for path in described["paths"].values():
        for operation in path.values():
            assert operation["description"] and "200" in operation["responses"]
