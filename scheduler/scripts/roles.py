"""What parts of a book are called (``epub:type``, DPUB-ARIA) and which of them are not read aloud."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

EPUB = "http://www.idpf.org/2007/ops"

SKIPPED_ROLES: frozenset[str] = frozenset({
    "footnote", "footnotes", "endnote", "endnotes", "note", "noteref", "backlink", "annoref", "annotation",
    "pagebreak", "page-list", "toc", "toc-brief", "landmarks", "loi", "lot", "loa", "lov",
    "bibliography", "biblioentry", "biblioref", "index", "index-headnotes", "index-group", "index-entry-list",
    "index-entry", "cover", "titlepage", "halftitlepage", "copyright-page", "imprint", "colophon",
})  # fmt: skip
"""Left out by default; ``ReadOptions.include_roles`` takes any of them in."""

PASSING_ROLES = frozenset({"pagebreak", "noteref", "backlink", "biblioref", "annoref"})
"""Roles of marks inside a text: leaving them out does not leave the text empty."""

_SAME: Mapping[str, str] = {
    "rearnote": "endnote", "rearnotes": "endnotes", "frontcover": "cover", "cover-image": "cover", "coverpage": "cover",
    "title-page": "titlepage", "halftitle": "halftitlepage", "half-title": "halftitlepage", "pagelist": "page-list",
    "copyright": "copyright-page", "notes": "endnotes", "other.toc": "toc",
}  # fmt: skip

CLASS_ROLES: Mapping[str, str] = {
    "pagenum": "pagebreak", "pageno": "pagebreak", "page-number": "pagebreak", "x-ebookmaker-pageno": "pagebreak",
    "lnum": "pagebreak", "linenum": "pagebreak", "fnanchor": "noteref", "footnote-ref": "noteref",
    "footnote-back": "backlink", "footnote": "footnote", "footnotes": "footnotes",
}  # fmt: skip
"""Classes that makers of books use for parts with a role; numbers of verses are marks of the printed page as well."""
BOILERPLATE_CLASS = "pg-boilerplate"
"""Of a library's licence pages."""

_NO_ROLE: frozenset[str] = frozenset()


def role_names(epub_type: str | None, role: str | None) -> frozenset[str]:
    """Return the plain role names in the values of ``epub:type`` and ``role``."""
    if epub_type is None and role is None:
        return _NO_ROLE
    names = {name.lower() for name in (epub_type or "").split()}
    names |= {name.lower().removeprefix("doc-") for name in (role or "").split() if name.lower().startswith("doc-")}
    return frozenset(_SAME.get(name, name) for name in names)


def skipped_role(names: frozenset[str], include: frozenset[str]) -> str | None:
    """Return the role for which a part is left out, or None if it is read."""
    if names & include:
        return None
    return min(names & SKIPPED_ROLES, default=None)


def class_role(classes: Iterable[str]) -> str | None:
    """Return the role that one of the classes stands for."""
    return next((CLASS_ROLES[name] for name in sorted(classes) if name in CLASS_ROLES), None)
