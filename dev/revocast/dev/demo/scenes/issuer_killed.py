"""kill -9 of the issuer: nothing that was revoked comes back, and nothing that was good is refused."""

from revocast.dev.demo.stage import Stage

TITLE = "The issuer is killed (kill -9)"


def play(stage: Stage) -> None:
    """No service asks the issuer anything, so none notices."""
    stage.good = stage.sign_in("erin")
    stage.deployment.kill_issuer()
    stage.expect(stage.revoked, 401, "what was revoked is still refused")
    stage.expect(stage.before_rotation, 401, "what the revoked key signed is still refused")
    stage.expect(stage.good, 200, "a good token is accepted")
    stage.report.current.proof = "revoked refused, good accepted"
