"""Block and cutoff are two slots: a sign-out does not end a block, and a lift names what it lifts."""

from revocast.dev.demo.stage import Stage

TITLE = "Blocked, signed out, still blocked, lifted"


def play(stage: Stage) -> None:
    """Tokens are minted before the block: the issuer mints none for a blocked user."""
    old = stage.sign_in("carol")
    stage.report.command('revocast block subject carol --reason "fraud case 1042"')
    stage.report.refusals(stage.measure(old, lambda: stage.revoke("subject", "carol", "block")))
    stage.report.command("revocast revoke subject carol")
    stage.revoke("subject", "carol", "cutoff")
    stage.expect(old, 401, "signed out on top: still refused")
    stage.report.command("revocast lift subject carol --slot cutoff")
    stage.lift("subject", "carol", "cutoff")
    stage.revoke("session", "marker", "cutoff")  # a later record, so that services have applied the lift
    stage.expect(old, 401, "the cutoff is lifted, the block stands: still refused")
    stage.report.command("revocast lift subject carol")
    stage.lift("subject", "carol", "block")
    stage.expect(old, 200, "the block is lifted: accepted again", within=5)
    stage.report.current.proof = "one does not end the other"
