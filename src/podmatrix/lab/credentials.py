"""Who may talk to a lab: a CA of its own, one server and one client certificate, a kubeconfig.

Exec is command execution, so nobody without the kubeconfig gets in.
"""

import base64
from dataclasses import dataclass

import trustme
import yaml

USER = "kubernetes-admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Everything as PEM text. `server` is private key and certificate in one."""

    ca: str
    server: str
    client_certificate: str
    client_key: str


def make_credentials() -> Credentials:
    """Fresh ones. The CA's key is forgotten."""
    ca = trustme.CA()
    server = ca.issue_cert("127.0.0.1", "localhost")
    client = ca.issue_cert(
        f"{USER}@podmatrix.io", common_name=USER, organization_name="system:masters"
    )
    return Credentials(
        ca=ca.cert_pem.bytes().decode(),
        server=server.private_key_and_cert_chain_pem.bytes().decode(),
        client_certificate=client.cert_chain_pems[0].bytes().decode(),
        client_key=client.private_key_pem.bytes().decode(),
    )


def kubeconfig(credentials: Credentials, *, server: str, name: str) -> str:
    """The text of a kubeconfig whose context is `podmatrix-<name>`."""
    context = f"podmatrix-{name}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "clusters": [
            {
                "name": context,
                "cluster": {
                    "server": server,
                    "certificate-authority-data": _base64(credentials.ca),
                },
            }
        ],
        "users": [
            {
                "name": f"{context}-{USER}",
                "user": {
                    "client-certificate-data": _base64(credentials.client_certificate),
                    "client-key-data": _base64(credentials.client_key),
                },
            }
        ],
        "contexts": [
            {"name": context, "context": {"cluster": context, "user": f"{context}-{USER}"}}
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
