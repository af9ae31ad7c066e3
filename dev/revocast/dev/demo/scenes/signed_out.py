"""Sign out everywhere: what was issued until now is refused, what is issued afterwards works."""

from revocast.dev.demo.stage import Stage

TITLE = "A user is signed out everywhere"


def play(stage: Stage) -> None:
    """The new token is asked for in the same second: the issuer waits out the second of the cutoff."""
    phone, laptop = stage.sign_in("bob"), stage.sign_in("bob")
    stage.report.command('revocast revoke subject bob --reason "phone stolen"')
    stage.report.refusals(
        stage.measure(phone, lambda: stage.revoke("subject", "bob", "cutoff", "phone stolen"))
    )
    stage.expect(laptop, 401, "every other token of bob is refused, too")
    stage.expect(stage.sign_in("bob"), 200, "bob signs in again, and the new token works")
    stage.report.current.proof = "a new token of the same user works"
