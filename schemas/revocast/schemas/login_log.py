"""Keeps logins out of aiokafka's debug log, which holds every request as it is sent: with PLAIN, the password; with SCRAM, what
it takes to guess one at leisure.
"""

import logging

__all__ = ["keep_logins_out"]


def keep_logins_out() -> None:
    """From now on, in this process, whatever the level is. Repeating it changes nothing."""
    logging.getLogger("aiokafka.conn").addFilter(_is_no_login)


def _is_no_login(record: logging.LogRecord) -> bool:
    arguments = record.args if isinstance(record.args, tuple) else ()
    return not any("SaslAuthenticate" in type(argument).__name__ for argument in arguments)
