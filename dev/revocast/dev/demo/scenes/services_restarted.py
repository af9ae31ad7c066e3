"""The services restart while the issuer is dead; then it comes back."""

from revocast.dev.demo.stage import Stage

TITLE = "Services restart while the issuer is dead"


def play(stage: Stage) -> None:
    """They learn everything from Kafka, and prove by the last checkpoint that it is everything."""
    with stage.report.waiting("all three stop and start again"):
        stage.deployment.restart_services()
    stage.expect(stage.revoked, 401, "what was revoked is refused by the new processes")
    stage.expect(stage.good, 200, "a good token is accepted by them")
    with stage.report.waiting("the issuer starts again"):
        stage.deployment.start_issuer()
    token = stage.sign_in("erin")
    stage.report.refusals(stage.measure(token, lambda: stage.revoke("subject", "erin", "cutoff")))
    stage.report.current.proof = "they start, and refuse"
