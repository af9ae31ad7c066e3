"""The command's one error tree: what happened, what to do now, and the exit code.

0    done
1    the check found something: a broken log, a topic that would lose records, a refused token (explain --check),
     a relay that refuses to publish (status)
2    the command line or a setting is wrong; nothing was done
3    pending: written, not yet on Kafka; the issuer publishes it as soon as Kafka is back
4    the issuer or Kafka cannot be reached; it is not known whether a write was done
5    the issuer knows this operator, but not with this right; or does not know it
6    the issuer refused the request; nothing was done
130  interrupted
"""

from typing import Final

__all__ = [
    "FOUND",
    "PENDING",
    "CliError",
    "Denied",
    "Misused",
    "Refused",
    "Unreachable",
]

FOUND: Final = 1
PENDING: Final = 3


class CliError(Exception):
    """Anything that ends a command on purpose. `hint` says what to do now."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Misused(CliError):
    """The command line or a setting is wrong."""

    code = "usage"
    exit_code = 2


class Unreachable(CliError):
    """The issuer or Kafka does not answer."""

    code = "unreachable"
    exit_code = 4


class Denied(CliError):
    """Wrong credentials, or a scope that this operator does not have."""

    code = "denied"
    exit_code = 5


class Refused(CliError):
    """The issuer understood the request and will not do it."""

    code = "refused"
    exit_code = 6
