"""Every request: who asks, for what, and an answer in Kubernetes' form."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from podmatrix.lab.apiserver import discovery, openapi
from podmatrix.lab.apiserver.handlers import ResourceHandler
from podmatrix.lab.apiserver.objects import Object
from podmatrix.lab.apiserver.request_info import RequestInfo, request_info
from podmatrix.lab.apiserver.responses import json_response
from podmatrix.lab.apiserver.status import ApiError, method_not_allowed, unauthorized
from podmatrix.lab.apiserver.store import Store

SubresourceHandler = Callable[[web.BaseRequest, RequestInfo], Awaitable[web.StreamResponse]]
_HEALTH = ("/healthz", "/livez", "/readyz")
_AGGREGATED = "as=APIGroupDiscoveryList"


class App:
    """The request handler of the server. `subresources` maps `pods/exec` and the like."""

    def __init__(
        self,
        *,
        store: Store,
        server_version: str,
        address: str,
        subresources: dict[str, SubresourceHandler],
    ) -> None:
        self._resources = ResourceHandler(store)
        self._server_version = server_version
        self._address = address
        self._subresources = subresources

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; errors become a Status."""
        try:
            if not _authenticated(request):
                raise unauthorized()
            return await self._answer(request)
        except ApiError as error:
            return json_response(error.body(), status=error.code)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path.rstrip("/") or "/"
        parts = path.split("/")[1:]
        if parts[0] in ("api", "apis") and len(parts) > (2 if parts[0] == "api" else 3):
            info = request_info(path)
            handler = self._subresources.get(f"{info.resource.plural}/{info.subresource}")
            if handler is not None and info.subresource:
                return await handler(request, info)
            return await self._resources.handle(request, info)
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        return self._about(request, path, parts)

    def _about(self, request: web.BaseRequest, path: str, parts: list[str]) -> web.Response:
        if path in _HEALTH or parts[0] in ("healthz", "livez", "readyz"):
            return web.Response(text="ok")
        if path == "/version":
            return json_response(discovery.version_info(self._server_version))
        if path in ("/api", "/apis") and _AGGREGATED in request.headers.get("Accept", ""):
            return _aggregated(discovery.aggregated(core=path == "/api"))
        found = self._discovered(path, parts)
        if found is None:
            return web.Response(text="404 page not found\n", status=404)
        return json_response(found)

    def _discovered(self, path: str, parts: list[str]) -> Object | None:
        match parts:
            case ["api"]:
                return discovery.api_versions(self._address)
            case ["api", version]:
                return discovery.api_resource_list(version)
            case ["apis"]:
                return discovery.api_group_list()
            case ["apis", group]:
                return discovery.api_group(group)
            case ["apis", group, version]:
                return discovery.api_resource_list(f"{group}/{version}")
            case ["openapi", "v3"]:
                return openapi.index()
            case ["openapi", "v3", *_]:
                return openapi.document(path.removeprefix("/openapi/v3/"))
        return None


def _authenticated(request: web.BaseRequest) -> bool:
    """Whether the client showed a certificate that the TLS layer accepted: the only way in."""
    return bool(request.transport and request.transport.get_extra_info("peercert"))


def _aggregated(value: Object) -> web.Response:
    response = json_response(value)
    response.headers["Content-Type"] = (
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    )
    return response
