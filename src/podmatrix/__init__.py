"""podmatrix proves what the pod networks of a Kubernetes cluster really do."""

__version__ = "0.1.0"
