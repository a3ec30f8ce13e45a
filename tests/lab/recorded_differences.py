"""Where the lab differs from the recorded cluster, and why: pattern of the field -> reason.

docs/lab.md lists the same reasons.
"""

KNOWN: dict[str, str] = {
    r"iptables-save\.txt .*KUBE-": ("no Services, no kube-proxy, no `KUBE-*` chains"),
    r"ip-neigh\.json \[\S+ (cali\w+|cni0|eth0)\]": (
        "neighbours learned from packets that pods and daemons had sent before the recording"
    ),
    r"ipset\.txt cali40this-host 10\.244\.\d\.1$": (
        "felix adds the address of cni0 when the first pod brings it; no rule of the lab needs it"
    ),
    r"api/calico\.json \[(FelixConfiguration|BlockAffinity|IPAM\w+|ClusterInformation) ": (
        "of Calico's objects the API serves IPPools only"
    ),
    r"api/pods\.json .*kube-api-access-": ("no service account token is mounted"),
    r"daemonEndpoints\.kubeletEndpoint\.Port": ("no kubelet listens: exec ends in the API server"),
}
