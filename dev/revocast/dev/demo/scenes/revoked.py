"""One revoke, refused everywhere."""

from revocast.dev.demo.stage import Stage, claims_of

TITLE = "The token is revoked"


def play(stage: Stage) -> None:
    """Also keeps the token: later scenes ask about it again."""
    token, other = stage.sign_in("alice"), stage.sign_in("alice")
    jti = claims_of(token)["jti"]
    stage.report.command(f"revocast revoke token {jti}")
    stage.report.refusals(stage.measure(token, lambda: stage.revoke("token", jti, "block")))
    stage.expect(token, 401, "the revoked token is refused everywhere")
    stage.expect(other, 200, "another token of alice still works")
    stage.revoked = token
    stage.report.current.proof = "her other token works"
