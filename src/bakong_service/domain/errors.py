"""The errors with which the business refuses a request. None is a bug; `web` turns each into a problem document."""

from attrs import field, frozen


@frozen
class Fault:
    """One thing that is wrong with a request: where (a JSON pointer, `"/amount"`), a stable code, the rule in words."""

    pointer: str
    code: str
    message: str


@frozen
class Refused(Exception):  # noqa: N818 - the root of what is refused
    """The request is refused. `code` is stable snake_case; `detail` is for people."""

    code: str
    detail: str

    def __str__(self) -> str:
        return self.detail


@frozen
class NotFound(Refused):
    """The request names something that doesn't exist (404)."""


@frozen
class Conflict(Refused):
    """The present state doesn't allow the request (409): the payment is paid, the version has changed ..."""


@frozen
class Invalid(Refused):
    """The request breaks a rule of the business (422)."""

    faults: tuple[Fault, ...] = field(default=())

    @classmethod
    def at(cls, pointer: str, code: str, message: str) -> "Invalid":
        """Return the refusal of a request that breaks one rule in one place."""
        return cls(code, message, (Fault(pointer, code, message),))
