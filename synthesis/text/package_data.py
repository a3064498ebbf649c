"""Where the data files of an installed package are, without importing it.

Some packages download corpora when they are imported, or print, or load what we do not need. Their data files are all
that is wanted from them, and those can be found without running a line of the package.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from synthesis.text.errors import LanguageDataMissing


def package_file(language: str, package: str, name: str, requirement: str = "") -> Path:
    """Path of the file ``name`` inside the top-level ``package``.

    ``requirement`` is what to install when it differs from the package's name. Raises LanguageDataMissing when the
    package or the file is not there.
    """
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / name
        if path.is_file():
            return path
    raise LanguageDataMissing(language, requirement or package)
