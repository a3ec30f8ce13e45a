"""Profile + live pods -> verdicts on their layout: interfaces, MTUs, addresses, routes. Pure.

Where the profile leaves a value out, the pods of a network are compared with each other, or what
was seen is reported as observed. What could not be read is broken, never wrong.
"""

from podmatrix.layout.judging import judge_layout

__all__ = ["judge_layout"]
