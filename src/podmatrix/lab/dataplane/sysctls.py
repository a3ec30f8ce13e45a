"""The kernel settings of nodes and pods.

A new network namespace inherits IPv4 settings from the machine's first one, whatever those are
there. So all that matter are written.
"""

from podmatrix.lab.netns import NetNS

_INTERFACE = {
    "accept_local": "0",
    "proxy_arp": "0",
    "proxy_arp_pvlan": "0",
    "rp_filter": "1",  # as kind sets it; systemd would have 2
}
_NODE = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.ip_forward_update_priority": "1",
    "net.ipv4.ip_forward_use_pmtu": "0",
}
_BRIDGE = {
    "net.bridge.bridge-nf-call-arptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
}
_POD = {
    "net.ipv4.ip_forward": "0",
    **{
        f"net.ipv4.conf.{scope}.{key}": "0"
        for scope in ("all", "default", "lo")
        for key in ("accept_local", "rp_filter")
    },
}


def prepare_node(netns: NetNS) -> None:
    """To be called before the node has devices: `default` counts when they are made.

    Raises LabError.
    """
    values = dict(_NODE)
    for scope in ("all", "default", "lo"):
        for key, value in _INTERFACE.items():
            values[f"net.ipv4.conf.{scope}.{key}"] = value
    for key, value in _BRIDGE.items():  # a kernel without br_netfilter has none
        if netns.get_sysctl(key) is not None:
            values[key] = value
    netns.set_sysctls(values)


def prepare_pod(netns: NetNS) -> None:
    """To be called before the pod has interfaces.

    The kernel's own defaults: that pods of a real cluster do not filter by reverse path shows in
    their second interface, which answers for packets that came by the first. Raises LabError.
    """
    netns.set_sysctls(_POD)
