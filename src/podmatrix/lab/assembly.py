"""The server of a lab: puts networks, nodes, runtimes and the API together, then serves.

Runs in the sandbox as a child of process 1. Imports what is heavy.
"""

import asyncio
import json
import os
import socket
import ssl
import sys
from pathlib import Path

from podmatrix.errors import SandboxError
from podmatrix.lab import netns
from podmatrix.lab.boot import Request, Status
from podmatrix.lab.container import NamespaceRuntime
from podmatrix.lab.dataplane.encapsulation import choose_encapsulation
from podmatrix.lab.dataplane.node_network import NodeNetwork
from podmatrix.lab.dataplane.plan import NetworkPlan, plan_networks
from podmatrix.lab.dataplane.underlay import set_up_underlay
from podmatrix.lab.node import Node, start_node
from podmatrix.lab.spawn import Spawner
from podmatrix.lab.topology import Topology
