"""The ASGI application of a service: the gate before the URL table."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from bakong_service.web import problems
from bakong_service.web.gate import Gate
from bakong_service.web.openapi import document
from bakong_service.web.routes import ROUTES
from bakong_service.web.service import Service


def application(service: Service) -> Starlette:
    """The service over ASGI. It starts and stops nothing: that is the composition root's."""
    routes = [route for route in ROUTES if service.settings.is_test or not route.test_only]
    app = Starlette(
        routes=[route.for_starlette() for route in routes],
        middleware=[Middleware(Gate, service=service)],
        exception_handlers={HTTPException: problems.answer},
    )
    app.state.service = service
    app.state.openapi = document(routes)
    return app
