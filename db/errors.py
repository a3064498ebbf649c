"""What the farm's memory refuses or cannot do.

    FarmError
    ├── InvalidTransition     a move the tables in db.states do not allow, or whose prior state has changed
    ├── NotFound              no such production, voice, job, line …
    ├── BadPlan               an import that cannot be stored as asked
    ├── TakeRefused           a take that cannot be a line's (db.queries.takes)
    ├── DatabaseError
    │   ├── BadDatabaseUrl    not a PostgreSQL URL
    │   ├── DatabaseUnavailable   no answer within the deadline
    │   ├── SchemaOutdated    the database is not at the revision this code needs
    │   └── ServerFailed      the embedded server could not be made, started or stopped
    └── StoreError
        ├── StoreFull         no space, read-only, not permitted: nothing can be kept now
        ├── StoreMissing      no such key
        ├── StoreCorrupt      what is kept is not what was put
        ├── StoreUnreadable   it may be there, but cannot be read now
        ├── BadKey            not a key this store makes
        └── BadStoreUrl       not a kind of storage that can be used

Every class keeps its fields as attributes and survives pickling.
"""

from __future__ import annotations


class FarmError(Exception):
    """Root of the tree. ``args`` are the constructor's arguments, so every subclass pickles."""

    def __str__(self) -> str:
        return self.message()

    def message(self) -> str:
        """One sentence for people."""
        return ", ".join(str(arg) for arg in self.args)


class InvalidTransition(FarmError):
    """A move that is not legal from the state the entity is in."""

    def __init__(self, entity: str, id: int, wanted: str, actual: str | None) -> None:
        super().__init__(entity, id, wanted, actual)
        self.entity, self.id, self.wanted, self.actual = entity, id, wanted, actual

    def message(self) -> str:
        """One sentence for people."""
        return f"{self.entity} {self.id} is {self.actual or 'not there'} and cannot become {self.wanted}"


class NotFound(FarmError):
    """Nothing is stored under that name."""

    def __init__(self, entity: str, name: str | int) -> None:
        super().__init__(entity, name)
        self.entity, self.name = entity, name

    def message(self) -> str:
        """One sentence for people."""
        return f"there is no {self.entity} {self.name!r}"


class BadPlan(FarmError):
    """An import plan that cannot be stored."""

    def __init__(self, slug: str, reason: str) -> None:
        super().__init__(slug, reason)
        self.slug, self.reason = slug, reason

    def message(self) -> str:
        """One sentence for people."""
        return f"{self.slug}: {self.reason}"


class DatabaseError(FarmError):
    """The database itself is the trouble."""


class BadDatabaseUrl(DatabaseError):
    """The URL does not name a PostgreSQL database."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def message(self) -> str:
        """One sentence for people."""
        return f"{self.url!r} is not a PostgreSQL URL; expected postgresql://user:password@host:5432/database"


class DatabaseUnavailable(DatabaseError):
    """The database did not answer, however often it was asked."""

    def __init__(self, attempts: int, waited_s: float, reason: str) -> None:
        super().__init__(attempts, waited_s, reason)
        self.attempts, self.waited_s, self.reason = attempts, waited_s, reason

    def message(self) -> str:
        """One sentence for people."""
        return f"the database did not answer in {self.attempts} attempts over {self.waited_s:.0f} s: {self.reason}"


class SchemaOutdated(DatabaseError):
    """The schema in the database is not the one this code was written for."""

    def __init__(self, current: str | None, wanted: str) -> None:
        super().__init__(current, wanted)
        self.current, self.wanted = current, wanted

    def message(self) -> str:
        """One sentence for people."""
        return (
            f"the database schema is at revision {self.current or 'none'}, this version needs {self.wanted}: "
            "run `voicefarm db upgrade` with the newest installed version"
        )


class ServerFailed(DatabaseError):
    """The embedded PostgreSQL could not do what was asked."""

    def __init__(self, place: str, reason: str, log_tail: str = "") -> None:
        super().__init__(place, reason, log_tail)
        self.place, self.reason, self.log_tail = place, reason, log_tail

    def message(self) -> str:
        """One sentence for people, then the end of the server's log where there is one."""
        head = f"embedded PostgreSQL in {self.place}: {self.reason}"
        return f"{head}\n--- end of the server's log ---\n{self.log_tail}" if self.log_tail else head


class StoreError(FarmError):
    """The take store is the trouble."""


class StoreFull(StoreError):
    """The store takes nothing more for now: no space, read-only, not permitted, over quota."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def message(self) -> str:
        """One sentence for people."""
        return f"the store could not keep {self.key}: {self.reason}"


class StoreMissing(StoreError):
    """Nothing is kept under that key."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def message(self) -> str:
        """One sentence for people."""
        return f"the store has no {self.key}"


class StoreCorrupt(StoreError):
    """What is kept under that key is not what was put there."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def message(self) -> str:
        """One sentence for people."""
        return f"{self.key} in the store is damaged: its content no longer has that sha256"


class BadKey(StoreError):
    """Not a key: 64 hexadecimal digits, then an optional suffix of letters and digits."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def message(self) -> str:
        """One sentence for people."""
        return f"{self.key!r} is not a store key"


class StoreUnreadable(StoreError):
    """The store did not give what was asked for: unreachable, not permitted, a failing disk."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key, self.reason = key, reason

    def message(self) -> str:
        """One sentence for people."""
        return f"the store could not read {self.key}: {self.reason}"


class BadStoreUrl(StoreError):
    """Takes cannot be kept there."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)
        self.url, self.reason = url, reason

    def message(self) -> str:
        """One sentence for people."""
        return f"takes cannot be kept at {self.url}: {self.reason}"
