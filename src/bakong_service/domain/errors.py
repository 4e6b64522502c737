"""What the business refuses. The web room turns each into a problem document; none is a bug."""

from attrs import field, frozen


@frozen
class Fault:
    """One thing that is wrong with a request: where (a JSON pointer, `"/amount"`), a stable code, the rule in words."""

    pointer: str
    code: str
    message: str


@frozen
class Refused(Exception):  # noqa: N818 - the root of what is refused
    """The request can't be done. `code` is stable snake_case; `detail` is for people."""

    code: str
    detail: str

    def __str__(self) -> str:
        return self.detail


@frozen
class NotFound(Refused):
    """What was named doesn't exist (404)."""


@frozen
class Conflict(Refused):
    """The state of things doesn't allow it (409): already paid, a live subscription, a version that moved on."""


@frozen
class Invalid(Refused):
    """The request breaks a rule of the business (422)."""

    faults: tuple[Fault, ...] = field(default=())
