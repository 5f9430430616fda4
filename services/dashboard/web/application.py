"""The application: which address leads where."""

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router, WebSocketRoute

from tickflag.services.dashboard.hub.hub import Hub
from tickflag.services.dashboard.web.admission import Admission, Caller
from tickflag.services.dashboard.web.api import Api, ApiRoute, no_such_address, told
from tickflag.services.dashboard.web.bundle import BundleDownload
from tickflag.services.dashboard.web.guard import Application, DashboardGuard
from tickflag.services.dashboard.web.health import Readiness, alive
from tickflag.services.dashboard.web.login import Login
from tickflag.services.dashboard.web.signals_export import SignalsExport
from tickflag.services.dashboard.web.socket import Viewers
from tickflag.services.dashboard.web.static import StaticFiles

VIEWS = (
    "/", "/matches", "/symbol/{name:path}", "/traders", "/traders/{name:path}", "/signals", "/notices", "/flags",
    "/flags/{name:path}", "/debug",
)  # fmt: skip
"""The addresses of the page's views."""


def application(
    hub: Hub, admission: Admission, instance: str, secure: bool, hang_up: Callable[[Any], None]
) -> Application:
    """All of the dashboard. `hang_up` ends the connection with a peer, whatever waits for it."""

    def hello(caller: Caller) -> dict[str, Any]:
        return {
            "version": _version(),
            "instance": instance,
            "writable": caller.trusted,
            "readable": caller.readable,
            "monitoring": hub.monitoring,
        }

    api, login, files = Api(hub), Login(admission, secure), StaticFiles()
    routes = [
        *(Route(path, files.page, methods=["GET"]) for path in VIEWS),
        Route("/static/{path:path}", files.asset, methods=["GET"]),
        Route("/healthz", alive, methods=["GET"]),
        Route("/readyz", Readiness(api).answer, methods=["GET"]),
        Route("/login", login.by_link, methods=["GET"]),
        ApiRoute("/api/login", login.by_form, methods=["POST"]),
        ApiRoute("/api/logout", login.end, methods=["POST"]),
        ApiRoute("/api/bundle", BundleDownload(instance).answer, methods=["GET"]),
        ApiRoute("/api/signals.csv", told(SignalsExport(hub).answer), methods=["GET"]),
        *api.routes(),
        WebSocketRoute("/ws", Viewers(hub, hello, hang_up).serve),
        Route("/api{path:path}", no_such_address),
        Route("/{path:path}", _nowhere),
    ]
    return DashboardGuard(Router(routes, redirect_slashes=False), admission)


async def _nowhere(_request: Request) -> Response:
    return PlainTextResponse("there is nothing at this address\n", 404)


def _version() -> str:
    try:
        return version("tickflag")
    except PackageNotFoundError:
        return "from its sources"
