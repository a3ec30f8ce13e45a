"""All iptables rules of a fresh node as one text, in the order in which the real ones end up."""

from podmatrix.lab.dataplane.felix_chain import APPENDS, Chains, render
from podmatrix.lab.dataplane.felix_rules import FelixRules
from podmatrix.lab.dataplane.flannel import Flannel

TABLES = ("mangle", "raw", "filter", "nat")


def node_ruleset(felix: FelixRules, flannel: Flannel) -> str:
    """For `iptables-restore`: felix inserts, Flannel appends, felix appends."""
    return "".join(_table(table, felix, flannel) for table in TABLES)


def _table(table: str, felix: FelixRules, flannel: Flannel) -> str:
    own, built_in = felix.static(table), felix.built_in(table)
    lines = [
        f"*{table}",
        *(line for line in flannel.rules(table) if line.startswith(":")),
        *(f":{chain} - [0:0]" for chain in own),
        *_render({name: rules for name, rules in built_in.items() if APPENDS not in name}),
        *flannel.jumps(table),
        *_render({name: rules for name, rules in built_in.items() if APPENDS in name}),
        *(line for line in flannel.rules(table) if not line.startswith(":")),
        *_render(own),
        "COMMIT",
        "",
    ]
    return "\n".join(lines)


def _render(chains: Chains) -> list[str]:
    return [line for chain, rules in chains.items() for line in render(chain, rules)]
