"""Where flanneld does not masquerade, the bridge plugin does, pod by pod."""

import hashlib

from tests.lab.inside import inside


def test_each_pod_has_a_chain_as_long_as_it_lives() -> None:
    seen = inside("tests.lab.cni.scenarios:masquerading")
    digest = hashlib.sha512(f"flannel-conf{seen['sandbox_id']}".encode()).hexdigest()
    chain = f"CNI-{digest}"[:28]
    says = rf'-m comment --comment "name: \"flannel-conf\" id: \"{seen["sandbox_id"]}\"" -j'
    assert seen["during"] == [
        f"-N {chain}",
        f"-A POSTROUTING -s 10.244.0.2/32 {says} {chain}",
        f"-A {chain} -d 10.244.0.0/24 {says} ACCEPT",
        f"-A {chain} ! -d 224.0.0.0/4 {says} MASQUERADE",
    ]
    assert seen["after"] == []
