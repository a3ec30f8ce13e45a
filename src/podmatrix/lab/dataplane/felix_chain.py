"""Felix's way to write a chain: every rule carries a hash of itself and of those before it.

The hashes are the real ones (felix/generictables: CalculateRuleHashes): base64url of a chained
SHA-224, 16 characters, over the rule as felix spells it with `HASH` for the comment.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence

Chains = Mapping[str, Sequence[str]]
"""Chain name -> rules."""

HASH_LENGTH = 16
MAX_CHAIN_NAME = 28
"""iptables' XT_EXTENSION_MAXNAMELEN less the terminating zero (felix/rules)."""

APPENDS = "*appends*"
"""Felix hashes rules that it appends to a built-in chain as if the chain were called so."""


def hashes(chain: str, rules: Iterable[str]) -> list[str]:
    """The hash of each rule of a chain."""
    digest = hashlib.sha224(chain.encode()).digest()
    result = []
    for rule in rules:
        digest = hashlib.sha224(digest + f"-A {chain} HASH {rule}".encode()).digest()
        result.append(base64.urlsafe_b64encode(digest).decode()[:HASH_LENGTH])
    return result


def render(chain: str, rules: Sequence[str]) -> list[str]:
    """Lines for iptables-restore."""
    return [
        f'-A {chain.removesuffix(APPENDS)} -m comment --comment "cali:{hash_}" {rule}'
        for hash_, rule in zip(hashes(chain, rules), rules, strict=True)
    ]


def comment(text: str) -> str:
    """A match that only explains."""
    return f'-m comment --comment "{text}"'


def limited_name(prefix: str, suffix: str) -> str:
    """A chain name; too long ones end in a hash (libcalico-go/lib/hash: GetLengthLimitedID)."""
    if len(prefix + suffix) <= MAX_CHAIN_NAME:
        return prefix + suffix
    digest = base64.urlsafe_b64encode(hashlib.sha256(suffix.encode()).digest()).decode()
    return f"{prefix}_{digest[: MAX_CHAIN_NAME - 1 - len(prefix)]}"


def render_chains(chains: Chains) -> list[str]:
    """Lines for iptables-restore; a chain that is there already is emptied first."""
    return [
        *(f":{chain} - [0:0]" for chain in chains),
        *(line for chain, rules in chains.items() for line in render(chain, rules)),
    ]
