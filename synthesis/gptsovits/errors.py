"""What can be wrong with a model file or with what a network is given.

SynthesisError
├── ModelError              a model that cannot be used
│   ├── WrongTensors        tensors are missing, or there are some that nobody reads
│   ├── WrongShape          a tensor has another shape than its configuration says
│   ├── BadConfig           the configuration lacks a number, or holds one that cannot be
│   └── VersionUnsupported  the network of this version is not built here
└── BadInput                codes, phonemes or a reference that a network cannot take
"""

from __future__ import annotations

from synthesis.errors import SynthesisError

Names = tuple[str, ...]


def few(names: Names, limit: int = 6) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


class ModelError(SynthesisError):
    """A model that cannot be used as it is."""


class WrongTensors(ModelError):
    """The file does not hold exactly the tensors of the network."""

    def __init__(self, missing: Names, surplus: Names) -> None:
        super().__init__(missing, surplus)
        self.missing = missing
        self.surplus = surplus

    def __str__(self) -> str:
        parts = []
        if self.missing:
            parts.append(f"{len(self.missing)} missing ({few(self.missing)})")
        if self.surplus:
            parts.append(f"{len(self.surplus)} unknown ({few(self.surplus)})")
        return f"not the tensors of this network: {'; '.join(parts)}; take a file of the version it is loaded as"


class WrongShape(ModelError):
    """A tensor has another shape than the configuration says."""

    def __init__(self, tensor: str, expected: tuple[int, ...], found: tuple[int, ...]) -> None:
        super().__init__(tensor, expected, found)
        self.tensor = tensor
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return (
            f"{self.tensor} has shape {self.found} where the configuration in the file wants {self.expected}; "
            "weights and configuration are not of the same model"
        )


class BadConfig(ModelError):
    """A number of the configuration is missing or impossible."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return f"configuration of the model: {self.key} {self.reason}; take a file that holds its own configuration"


class VersionUnsupported(ModelError):
    """The network of this version is not built here."""

    def __init__(self, version: str, known: Names) -> None:
        super().__init__(version, known)
        self.version = version
        self.known = known

    def __str__(self) -> str:
        return f"a model of version {self.version} cannot be rendered here; take one of {', '.join(self.known)}"


class BadInput(SynthesisError):
    """A network was given something it cannot take."""

    def __init__(self, quantity: str, reason: str) -> None:
        super().__init__(quantity, reason)
        self.quantity = quantity
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.quantity}: {self.reason}"
