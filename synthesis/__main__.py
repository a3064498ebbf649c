"""`python -m synthesis`: the library on its own, without farm or database."""

from __future__ import annotations

import sys
from collections.abc import Sequence

USAGE = """usage: python -m synthesis COMMAND …

  say "TEXT" --s1 … --s2 … --hubert … --ref … --ref-text … -o out.wav
      say a text in a cloned voice
  parity --vectors DIR [--json] [--only GLOB]
      compare our networks with recorded results of the reference implementation

`python -m synthesis COMMAND --help` says more.
"""


def main(argv: Sequence[str]) -> int:
    """Run a command; returns its exit status."""
    command, rest = (argv[0], argv[1:]) if argv else ("", ())
    if command == "say":
        from synthesis.gptsovits.say import main as say

        return say(rest)
    if command == "parity":
        from synthesis.parity.cli import main as parity

        return parity(rest)
    asked = command in ("-h", "--help", "help")
    (sys.stdout if asked else sys.stderr).write(USAGE)
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
