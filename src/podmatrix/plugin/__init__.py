"""The pytest plugin: the only package that imports pytest.

Inert in foreign projects: it acts only when an argument selects the suites of this checkout. It is
registered by its entry point where podmatrix is installed and by the root conftest.py in a bare
checkout, under the same name.
"""

from podmatrix.plugin.items import pytest_generate_tests
from podmatrix.plugin.options import (
    pytest_addoption,
    pytest_configure,
    pytest_load_initial_conftests,
)
from podmatrix.plugin.owner import pytest_configure_node, pytest_sessionfinish, pytest_sessionstart
from podmatrix.plugin.summary import pytest_terminal_summary

__all__ = [
    "pytest_addoption",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_generate_tests",
    "pytest_load_initial_conftests",
    "pytest_sessionfinish",
    "pytest_sessionstart",
    "pytest_terminal_summary",
]
