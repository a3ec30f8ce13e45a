"""A plain HTTPS client: what the official client hides is looked at through it."""

import http.client
import json
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 10
Json = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP response; `json` is None where the body is no JSON."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Json:
        return json.loads(self.text)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class Http:
    """One connection for each request."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._place = urlsplit(url).netloc
        self.context = context
        self.url = url

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        **query: Json,
    ) -> Answer:
        sent = body if isinstance(body, str | bytes | None) else json.dumps(body)
        connection = http.client.HTTPSConnection(
            self._place, context=self.context, timeout=TIMEOUT_S
        )
        with_query = f"{path}?{urlencode(query)}" if query else path
        given = {"Content-Type": "application/json"} if sent is not None else {}
        try:
            connection.request(method, with_query, sent, {**given, **(headers or {})})
            response = connection.getresponse()
            text = response.read().decode()
            return Answer(status=response.status, text=text, headers=dict(response.getheaders()))
        finally:
            connection.close()

    def get(self, path: str, **query: Json) -> Answer:
        return self("GET", path, **query)

    def post(self, path: str, body: object, **query: Json) -> Answer:
        return self("POST", path, body, **query)
