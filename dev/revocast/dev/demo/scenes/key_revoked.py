"""A key leaked: everything that it signed is refused."""

from revocast.dev.demo.stage import Stage

TITLE = "A signing key is revoked as compromised"


def play(stage: Stage) -> None:
    """The old key of the rotation; the token was accepted a moment ago."""
    kid = next(kid for kid, state in stage.keys().items() if state == "retiring")
    fresh = stage.sign_in("dave")
    stage.report.command(f'revocast keys revoke {kid[:8]}… --reason "leaked in a build log"')
    body = {"reason": "leaked in a build log"}
    stage.report.refusals(
        stage.measure(
            stage.before_rotation,
            lambda: stage.operator.post(f"/v1/keys/{kid}/revoke", "revocast:keys", body),
        )
    )
    stage.expect(fresh, 200, "a token that the new key signed works")
    stage.report.current.proof = "all it signed refused; the new key's works"
