"""What can be wrong with a script file.

    ScriptError(file, place, reason)
    ├── FormatUnknown      no reader knows the file, or the named format
    ├── ScriptUnreadable   missing, truncated, not what its name says
    ├── ScriptTooLarge     a limit was passed: file, line, entry, ratio
    ├── ScriptRefused      it asks for something a reader never does: entities, paths outside the archive
    ├── HeaderMissing      a sheet without the columns a reader needs
    ├── MarkupError        unknown or unbalanced markup; it is never spoken
    ├── EncodingUnknown    the bytes are no text in any encoding at hand
    └── ScriptEmpty        read whole, and nothing in it is to be spoken

Each names the file and the place in it ("line 12", "EPUB/ch1.xhtml", "row 7"; "" for the file as a whole).
"""

from __future__ import annotations

from scheduler.errors import SchedulerError


class ScriptError(SchedulerError):
    """A script cannot be read."""

    def __init__(self, file: str, place: str, reason: str) -> None:
        super().__init__(file, place, reason)
        self.file = file
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        where = f"{self.file}, {self.place}" if self.place else self.file
        return f"{where}: {self.reason}"


class FormatUnknown(ScriptError):
    """No reader knows the file, or the format that was named."""


class ScriptUnreadable(ScriptError):
    """The file is missing, truncated or not what its name says."""


class ScriptTooLarge(ScriptError):
    """A limit on size was passed."""


class ScriptRefused(ScriptError):
    """The file asks for something a reader never does."""


class HeaderMissing(ScriptError):
    """A sheet lacks the columns a reader needs."""


class MarkupError(ScriptError):
    """Markup that is unknown or not closed."""


class EncodingUnknown(ScriptError):
    """The bytes are no text in any encoding at hand."""


class ScriptEmpty(ScriptError):
    """The file was read whole and holds nothing to be spoken."""
