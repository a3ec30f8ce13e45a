"""The rules that felix v3.32 writes in its iptables mode, as text of its own spelling. Pure.

Source: `iptables-save` of a real node; the hashes of `felix_chain` prove each rule letter by
letter. IPIP's rules, which that cluster did not have: felix/rules/static.go. Where the kernel has
no ipsets the same members are matched by `--source` and `--destination`.
"""

from collections.abc import Sequence

from podmatrix.lab.dataplane.felix_chain import APPENDS, Chains, comment
from podmatrix.lab.dataplane.felix_workloads import dispatch_chains
from podmatrix.lab.dataplane.ipset import IpSet
from podmatrix.lab.dataplane.plan import NetworkPlan, NodePlan

_ACCEPTED = "-m mark --mark 0x10000/0x10000"
_HOST_ENDPOINT = f"{comment('Host endpoint policy accepted packet.')} {_ACCEPTED} --jump"
_CLEAR = "--jump MARK --set-mark 0/0x1b0000"
_LOCAL_TO_OTHER = "-m addrtype ! --src-type LOCAL --limit-iface-out -m addrtype --src-type LOCAL"
_VXLAN_PORT = 4789
_VXLAN = f"-p 17 -m multiport --destination-ports {_VXLAN_PORT}"
_IPIP = "-p 4"


TUNNEL_DEVICES = {"ipip": "tunl0", "vxlan": "vxlan.calico"}
"""By encapsulation."""


class FelixRules:
    """Renders the rules of one node."""

    def __init__(self, plan: NetworkPlan, node: NodePlan) -> None:
        self._plan = plan
        self._node = node
        self._use_ipsets = plan.kernel.ipsets
        self._members = {ipset.name: ipset.members for ipset in self.ipsets()}

    def ipsets(self) -> list[IpSet]:
        """The sets that the static rules match."""
        node, calico = self._node, self._plan.topology.calico
        pool = (str(calico.pool),)
        own = [node.address, node.second_address, node.tunnel_address, node.flannel_address]
        loopback = ("127.0.0.0", "127.0.0.1")
        peers = tuple(str(peer.calico_endpoint) for peer in self._plan.peers(node))
        sets = [
            IpSet(
                name="cali40this-host",
                type="hash:ip",
                members=(*(str(address) for address in own if address is not None), *loopback),
            ),
            IpSet(name="cali40network-ip-pools", type="hash:net", members=pool),
            IpSet(
                name="cali40masq-ipam-pools",
                type="hash:net",
                members=pool if calico.nat_outgoing else (),
            ),
            IpSet(name="cali40dscp-src-net", type="hash:net"),
        ]
        if self._plan.encapsulation == "vxlan":
            sets.append(IpSet(name="cali40all-vxlan-net", type="hash:net", members=peers))
        elif self._plan.encapsulation == "ipip":
            hosts = (str(node.calico_endpoint), *peers)
            sets.append(IpSet(name="cali40all-hosts-net", type="hash:net", members=hosts))
        return sets

    def built_in(self, table: str) -> Chains:
        """What felix puts first, or with APPENDS last, into iptables' own chains."""
        inserted = {
            "mangle": ("PREROUTING", "POSTROUTING"),
            "raw": ("PREROUTING", "OUTPUT"),
            "filter": ("INPUT", "FORWARD", "OUTPUT"),
            "nat": ("PREROUTING", "OUTPUT"),
        }[table]
        chains: dict[str, Sequence[str]] = {chain: [f"--jump cali-{chain}"] for chain in inserted}
        if table == "filter":
            chains[f"FORWARD{APPENDS}"] = [
                f"{comment('Policy explicitly accepted packet.')} {_ACCEPTED} --jump ACCEPT",
                "--jump MARK --set-mark 0x10000/0x10000",
            ]
        elif table == "nat":  # appended from v3.29 on (NATOutgoing after others' rules)
            chains[f"POSTROUTING{APPENDS}"] = ["--jump cali-POSTROUTING"]
        return chains

    def static(self, table: str) -> Chains:
        """Felix's own chains of a table that do not depend on workloads."""
        return {
            "mangle": self._mangle,
            "raw": self._raw,
            "filter": self._filter,
            "nat": self._nat,
        }[table]()

    def _mangle(self) -> Chains:
        leaving = [
            comment("set dscp for traffic leaving cluster."),
            *self._match("cali40dscp-src-net", "src"),
            *self._match("cali40network-ip-pools", "dst", negated=True),
            *self._match("cali40this-host", "dst", negated=True),
            "--jump cali-egress-dscp",
        ]
        return {
            "cali-POSTROUTING": [
                *([" ".join(leaving)] if self._use_ipsets else []),  # its first set is empty
                f"{_ACCEPTED} --jump RETURN",
                _CLEAR,
                "-m conntrack --ctstate DNAT --jump cali-to-host-endpoint",
                f"{_HOST_ENDPOINT} RETURN",
            ],
            "cali-PREROUTING": [
                "-m conntrack --ctstate RELATED,ESTABLISHED --jump ACCEPT",
                f"{_ACCEPTED} --jump ACCEPT",
                "--jump cali-from-host-endpoint",
                f"{_HOST_ENDPOINT} ACCEPT",
            ],
            "cali-egress-dscp": [],
            "cali-from-host-endpoint": [],
            "cali-to-host-endpoint": [],
        }

    def _raw(self) -> Chains:
        no_track = f"-p udp --dport {_VXLAN_PORT} --jump NOTRACK"
        untracked = [no_track] if self._plan.encapsulation == "vxlan" else []
        from_workload = "-m mark --mark 0x80000/0x80000"
        return {
            "cali-OUTPUT": [
                _CLEAR,
                "--jump cali-to-host-endpoint",
                *untracked,
                f"{_ACCEPTED} --jump ACCEPT",
            ],
            "cali-PREROUTING": [
                _CLEAR,
                *untracked,
                "--in-interface cali+ --jump MARK --set-mark 0x80000/0x80000",
                f"{from_workload} --jump cali-rpf-skip",
                f"{from_workload} -m rpfilter --invert --validmark --jump DROP",
                "-m mark --mark 0/0x80000 --jump cali-from-host-endpoint",
                f"{_ACCEPTED} --jump ACCEPT",
            ],
            "cali-from-host-endpoint": [],
            "cali-rpf-skip": [],
            "cali-to-host-endpoint": [],
        }

    def _filter(self) -> Chains:
        return {
            "cali-FORWARD": [
                "--jump MARK --set-mark 0/0x1a0000",
                "-m mark --mark 0/0x10000 --jump cali-from-hep-forward",
                "--in-interface cali+ --jump cali-from-wl-dispatch",
                "--out-interface cali+ --jump cali-to-wl-dispatch",
                "--jump cali-to-hep-forward",
                "--jump cali-cidr-block",
            ],
            "cali-INPUT": [
                *self._overlay_in(),
                "--in-interface cali+ --goto cali-wl-to-host",
                f"{_ACCEPTED} --jump ACCEPT",
                _CLEAR,
                "--jump cali-from-host-endpoint",
                f"{_HOST_ENDPOINT} ACCEPT",
            ],
            "cali-OUTPUT": [
                f"{_ACCEPTED} --jump ACCEPT",
                "--out-interface cali+ --jump RETURN",
                *self._overlay_out(),
                _CLEAR,
                "-m conntrack ! --ctstate DNAT --jump cali-to-host-endpoint",
                f"{_HOST_ENDPOINT} ACCEPT",
            ],
            "cali-wl-to-host": [
                "--jump cali-from-wl-dispatch",
                f"{comment('Configured DefaultEndpointToHostAction')} --jump ACCEPT",
            ],
            "cali-cidr-block": [],
            "cali-from-hep-forward": [],
            "cali-from-host-endpoint": [],
            "cali-to-hep-forward": [],
            "cali-to-host-endpoint": [],
            **dispatch_chains([]),
        }

    def _nat(self) -> Chains:
        outgoing = [
            *self._match("cali40masq-ipam-pools", "src"),
            *self._match("cali40network-ip-pools", "dst", negated=True),
            "--jump MASQUERADE --random-fully",
        ]
        masquerade = f"{_LOCAL_TO_OTHER} --jump MASQUERADE --random-fully"
        device = TUNNEL_DEVICES.get(self._plan.encapsulation)
        return {
            "cali-OUTPUT": ["--jump cali-fip-dnat"],
            "cali-POSTROUTING": [
                "--jump cali-fip-snat",
                "--jump cali-nat-outgoing",
                *([f"--out-interface {device} {masquerade}"] if device else []),
            ],
            "cali-PREROUTING": ["--jump cali-fip-dnat"],
            "cali-fip-dnat": [],
            "cali-fip-snat": [],
            "cali-nat-outgoing": (
                [" ".join(outgoing)] if self._plan.topology.calico.nat_outgoing else []
            ),
        }

    def _overlay_in(self) -> list[str]:
        """Only other nodes may send what this one decapsulates."""
        to_us = "-m addrtype --dst-type LOCAL"
        if self._plan.encapsulation == "vxlan":
            known = self._match("cali40all-vxlan-net", "src")
            allowed = comment("Allow IPv4 VXLAN packets from allowed hosts")
            refused = comment("Drop IPv4 VXLAN packets from non-allowed hosts")
            return [
                *([" ".join([allowed, _VXLAN, *known, to_us, "--jump ACCEPT"])] if known else []),
                f"{refused} {_VXLAN} {to_us} --jump DROP",
            ]
        if self._plan.encapsulation == "ipip":
            known = self._match("cali40all-hosts-net", "src")
            allowed = comment("Allow IPIP packets from Calico hosts")
            refused = comment("Drop IPIP packets from non-Calico hosts")
            return [
                " ".join([allowed, _IPIP, *known, to_us, "--jump ACCEPT"]),
                f"{refused} {_IPIP} --jump DROP",
            ]
        return []

    def _overlay_out(self) -> list[str]:
        from_us = "-m addrtype --src-type LOCAL"
        if self._plan.encapsulation == "vxlan":
            known = self._match("cali40all-vxlan-net", "dst")
            allowed = comment("Allow IPv4 VXLAN packets to other allowed hosts")
            if not known:
                return []
            return [" ".join([allowed, _VXLAN, from_us, *known, "--jump ACCEPT"])]
        if self._plan.encapsulation == "ipip":
            known = self._match("cali40all-hosts-net", "dst")
            allowed = comment("Allow IPIP packets to other Calico hosts")
            return [" ".join([allowed, _IPIP, *known, from_us, "--jump ACCEPT"])]
        return []

    def _match(self, ipset: str, direction: str, *, negated: bool = False) -> list[str]:
        """Nothing where there are no sets and the set has no member."""
        not_ = "! " if negated else ""
        if self._use_ipsets:
            return [f"-m set {not_}--match-set {ipset} {direction}"]
        members = ",".join(self._members[ipset])
        option = {"src": "--source", "dst": "--destination"}[direction]
        return [f"{not_}{option} {members}"] if members else []
