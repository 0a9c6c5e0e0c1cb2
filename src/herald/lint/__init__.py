"""Lint: what is valid and will still not do what its author means.

`facts` is what all rules look at, `checks` the one tuple of rules and `lint` itself. The other modules hold the rules
by theme, one function each, numbered as in `herald.config.rules`. What compiling finds by itself (errors, and the
warnings HL002, HL004, HL074, HL076, HL101, HL106) is not repeated here.
"""

from herald.lint.checks import lint
from herald.lint.facts import LintInputs

__all__ = ["LintInputs", "lint"]
