"""Every error that podmatrix raises on purpose.

A message says what is wrong, where, and what cures it. A failed connection is never an error: it is
an observation. These are for a harness, a cluster or a declaration that is broken.

    PodmatrixError
    +-- SettingsError         an option of the run is wrong
    +-- ProfileError          the declaration of networks and reachability is wrong
    +-- JudgeError            observations do not belong to the plan they are judged by
    +-- RecordError           a saved run cannot be read
    +-- LabError              the embedded cluster
    |   +-- TopologyError     its description is wrong
    |   +-- SandboxError      this machine cannot hold it (no namespaces, a tool missing)
    +-- ClusterError          something said to a Kubernetes API failed
    |   +-- ExecError         a command could not be carried out in a pod
    |   +-- TestbedError      the pods of a run cannot be deployed
    +-- ProbeError            the output of a probing tool cannot be read
    +-- ConvergenceTimeout    a condition was waited for and did not come
"""


class PodmatrixError(Exception):
    """Base of all errors that are shown to users as one message, without a traceback."""


class SettingsError(PodmatrixError):
    """An option of the run is wrong."""


class ProfileError(PodmatrixError):
    """The declaration of networks, pods and reachability is wrong; names file and path in it."""


class JudgeError(PodmatrixError):
    """Observations do not belong to the plan or the expectations they are judged by."""


class RecordError(PodmatrixError):
    """A saved run record cannot be read."""


class LabError(PodmatrixError):
    """The embedded cluster cannot be started, stopped or reached."""


class TopologyError(LabError):
    """The description of the embedded cluster is wrong; names file and path in the file."""


class SandboxError(LabError):
    """This machine cannot hold the lab: namespaces are denied or a tool is missing."""


class ClusterError(PodmatrixError):
    """Something said to a Kubernetes API failed."""


class ExecError(ClusterError):
    """A command could not be carried out in a pod: says nothing about the network."""


class TestbedError(ClusterError):
    """The pods of a run cannot be deployed or did not become ready."""

    __test__ = False  # pytest: not a test class, whatever its name begins with


class ProbeError(PodmatrixError):
    """The output of a probing tool cannot be read."""


class ConvergenceTimeout(PodmatrixError):
    """A condition was waited for and did not come; carries the last state that was seen."""
