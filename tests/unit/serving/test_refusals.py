"""What the server says when an id cannot be, and when a store refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from clickstream.consumers.recommendations.views import RecommendationsView
from clickstream.errors import Forbidden, Throttled, Unwritable
from clickstream.serving.app import create_app
from clickstream.serving.query import query
from clickstream.terminal import parse_moment
from tests.unit.serving.desk import Desk, Window
from tests.unit.serving.shop import Shop

_REFUSAL = Forbidden(
    "DynamoDB: AccessDeniedException: not authorized to perform: dynamodb:GetItem on resource: arn:aws:dynamodb:table/offers",
    action="dynamodb:GetItem",
    resource="arn:aws:dynamodb:table/offers",
)


class Refusing(Window):
    """Raises what it is told to."""

    error: Exception = _REFUSAL

    def stored(self, user_ids: Sequence[str]) -> Mapping[str, RecommendationsView]:
        raise self.error


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/recommendations/{'u' * 2_049}",
        f"/v1/recommendations/{'%E2%82%AC' * 200}",
        "/v1/recommendations/u%00",
        "/v1/recommendations/",
        f"/v1/recommendations?viewed={'p' * 257}",
        f"/v1/recommendations/u?without={'p' * 257}",
        f"/v1/recommendations/u?count={'9' * 5_000}",
        f"/v1/decisions/{'e' * 257}",
        "/v1/decisions/%7F",
        f"/v1/fraud/alerts?count={'9' * 5_000}",
        f"/v1/fraud/decided?from={'9' * 5_000}",
        f"/v1/aggregates?from={'9' * 5_000}",
        f"/v1/aggregates?from={'9' * 30}",
        f"/v1/aggregates?from={'9' * 30}d",
    ],
)
def test_what_cannot_be_is_the_askers_mistake(path: str) -> None:
    shop = Shop()
    app = create_app(shop, shop.clock, monotonic=shop.clock, risk=Desk(shop), offers=Window(shop))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        assert client.get(path).status_code == 400, path


def test_what_a_store_never_takes_is_no_fault_of_the_server() -> None:
    shop = Shop()
    offers = Refusing(shop)
    offers.error = Unwritable("DynamoDB: ValidationException: Size of hashkey has exceeded the maximum size limit")
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock, offers=offers), base_url="http://127.0.0.1") as client:
        assert client.get("/v1/recommendations/u").status_code == 400


def test_a_refusal_is_told_in_the_log_and_not_to_the_public() -> None:
    shop = Shop()
    with (
        capture_logs() as logs,
        TestClient(
            create_app(shop, shop.clock, monotonic=shop.clock, offers=Refusing(shop)), base_url="http://127.0.0.1"
        ) as client,
    ):
        answer = client.get("/v1/recommendations/u")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert "GetItem" not in answer.text
    assert "offers" not in answer.text
    (line,) = (each for each in logs if "action" in each)
    assert (line["log_level"], line["action"], line["resource"]) == ("error", _REFUSAL.action, _REFUSAL.resource)


def test_a_store_that_asks_for_fewer_calls_is_asked_later() -> None:
    shop = Shop()
    offers = Refusing(shop)
    offers.error = Throttled("DynamoDB: ThrottlingException: slower")
    with TestClient(create_app(shop, shop.clock, monotonic=shop.clock, offers=offers), base_url="http://127.0.0.1") as client:
        answer = client.get("/v1/recommendations/u")
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)


@pytest.mark.parametrize("command", ["decision", "recommendations"])
@pytest.mark.parametrize("given", ["", "a\nb", "x" * 257, "\x7f", "€" * 200, "\udcff"])
def test_a_command_takes_no_such_id(command: str, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    import click

    with pytest.raises(click.BadParameter) as refused:
        query.main([command, given], standalone_mode=False)
    assert refused.value.exit_code == 2
    assert given == "" or given not in refused.value.format_message()


def test_moments_that_can_be_are_taken() -> None:
    assert parse_moment("1795527440000", 0) == 1795527440000
    assert parse_moment("2h ago", 7_200_001) == 1
