from collections.abc import Iterator
from pathlib import Path

import pytest

from podmatrix.cluster.client import Cluster
from tests.cluster.server import Server, connected, serving


@pytest.fixture
def server() -> Iterator[Server]:
    """An API server that answers as told."""
    with serving() as running:
        yield running


@pytest.fixture
def cluster(server: Server, tmp_path: Path) -> Iterator[Cluster]:
    """A connection to `server`."""
    found = connected(server, tmp_path)
    yield found
    found.close()
