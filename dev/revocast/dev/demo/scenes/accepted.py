"""A token works everywhere, and a made-up one nowhere."""

from revocast.dev.demo.stage import Stage

TITLE = "A token is accepted by all three services"


def play(stage: Stage) -> None:
    """Nothing is asked of the issuer on the way."""
    token = stage.sign_in("alice")
    stage.expect(token, 200, "alice's token is accepted everywhere, verified in memory")
    header, claims, signature = token.split(".")
    forged = ".".join((header, claims, signature[:-4] + ("AAAA" if signature[-4:] != "AAAA" else "BBBB")))
    stage.expect(forged, 401, "with another signature it is refused everywhere")
    stage.report.current.proof = "200 from all, 401 when tampered with"
