"""The OpenAPI document and the routes: the same paths, each described once."""

from __future__ import annotations

import json
from collections import Counter

from starlette.routing import Route

from clickstream.answers.reading import Answers
from clickstream.aws import Clients
from clickstream.serving.api import openapi
from clickstream.serving.api.recommendations import OF_SESSION
from clickstream.serving.api.routes import OPERATIONS
from clickstream.serving.app import create_app
from clickstream.settings import Settings
from tests.unit.serving.desk import Desk, Window
from tests.unit.serving.letterbox import Letterbox
from tests.unit.serving.lives import Lives
from tests.unit.serving.shop import Shop

#: Not JSON answers of the API.
_OTHERS = {"/v1/openapi.json", "/v1/live/{feed}"}


def test_no_path_and_no_operation_is_described_twice() -> None:
    for of in ("path", "route"):
        counts = Counter(getattr(operation, of) for operation in OPERATIONS)
        assert [name for name, count in counts.items() if count > 1] == []


def test_the_document_has_the_routes_of_the_application() -> None:
    shop = Shop()
    answers = Answers(Clients(Settings()), Settings(), {})
    app = create_app(
        shop,
        shop.clock,
        monotonic=shop.clock,
        risk=Desk(shop),
        offers=Window(shop),
        lives=Lives().life,
        letters=Letterbox(),
        own=answers,
    )
    routes = {route.path for route in app.routes if isinstance(route, Route) and route.path.startswith("/v1/")} - _OTHERS
    described = json.loads(openapi.document(OPERATIONS, with_login=False))
    assert {operation.route for operation in OPERATIONS} == routes
    assert len(described["paths"]) == len(routes)
    names = [each["operationId"] for methods in described["paths"].values() for each in methods.values()]
    assert len(set(names)) == len(names)


def test_a_session_must_be_told() -> None:
    """What the route refuses without is needed in the document, too."""
    described = json.loads(openapi.document([OF_SESSION], with_login=False))
    parameters = {each["name"]: each["required"] for each in described["paths"]["/v1/recommendations"]["get"]["parameters"]}
    assert parameters == {"viewed": True, "count": False, "without": False}
