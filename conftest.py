"""Root of both test trees: the plugin, and the fixtures the suites use."""

pytest_plugins = [
    "podmatrix.plugin",
    "fixtures.cluster",
    "fixtures.testbed",
    "fixtures.sweep",
    "fixtures.check",
]
