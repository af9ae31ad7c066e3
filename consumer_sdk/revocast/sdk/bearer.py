"""The bearer token of a request (RFC 6750 §2.1): from the Authorization header, and from nowhere else."""

from collections.abc import Sequence

from revocast.sdk.errors import RequestMalformed, TokenMissing

__all__ = ["bearer_token"]


def bearer_token(authorization: Sequence[str]) -> str:
    """The token. `authorization` holds the value of every Authorization header that the request has.

    Raises `TokenMissing` when there is none or it is of another scheme, `RequestMalformed` when it is not one token.
    """
    if not authorization:
        raise TokenMissing("The request carries no bearer token.")
    if len(authorization) > 1:
        raise RequestMalformed("The request has more than one Authorization header.")
    scheme, _, token = authorization[0].strip(" \t").partition(" ")
    if scheme.lower() != "bearer":
        raise TokenMissing("The request carries no bearer token.")
    token = token.strip(" ")
    # Not character by character: that takes many times as long as to judge a token that was seen before.
    if "," in token or token.split(None, 1) != [token]:
        raise RequestMalformed("The Authorization header is not one bearer token.")
    return token
