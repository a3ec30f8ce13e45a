"""The bridge plugin's `ipMasq`: a chain for each container that hides its addresses.

Source: containernetworking/plugins v1.9.1, pkg/ip/ipmasq_iptables_linux.go. The flannel plugin asks
for it where flanneld does not masquerade (FLANNEL_IPMASQ=false).
"""

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Interface

from podmatrix.lab.netns import NetNS

_RESTORE = ("iptables-restore", "--noflush", "--wait", "10")
_CHAIN_LENGTH = 28


def chain_name(network: str, container_id: str) -> str:
    """The container's chain (pkg/utils FormatChainName)."""
    digest = hashlib.sha512(f"{network}{container_id}".encode()).hexdigest()
    return f"CNI-{digest}"[:_CHAIN_LENGTH]


def set_up(node: NetNS, ips: Iterable[IPv4Interface], network: str, container_id: str) -> None:
    """Hide addresses from whoever is outside of their network. Raises LabError."""
    chain = chain_name(network, container_id)
    says = rf'-m comment --comment "name: \"{network}\" id: \"{container_id}\""'
    lines = [f":{chain} - [0:0]"]
    for ip in ips:
        lines += [
            f"-A {chain} -d {ip.network} {says} -j ACCEPT",
            f"-A {chain} ! -d 224.0.0.0/4 {says} -j MASQUERADE",
            f"-A POSTROUTING -s {ip.ip} {says} -j {chain}",
        ]
    _restore(node, lines)


def tear_down(node: NetNS, network: str, container_id: str) -> None:
    """Nothing happens where there is nothing. Raises LabError."""
    chain = chain_name(network, container_id)
    rules = node.run(["iptables", "--wait", "10", "-t", "nat", "-S"]).splitlines()
    if f"-N {chain}" not in rules:
        return
    jumps = [rule for rule in rules if rule.endswith(f"-j {chain}")]
    _restore(
        node,
        [
            *(rule.replace("-A ", "-D ", 1) for rule in jumps),
            f":{chain} - [0:0]",
            f"-X {chain}",
        ],
    )


def _restore(node: NetNS, lines: Iterable[str]) -> None:
    node.run(_RESTORE, stdin="\n".join(("*nat", *lines, "COMMIT", "")))
