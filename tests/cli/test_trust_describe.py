"""What the root's holder reads before signing is all that the list will say."""

from revocast.cli.trust.describe import changes
from revocast.schemas.delegating import InForce, first_list
from revocast.schemas.delegations import Bound, DelegationList, Role
from revocast.schemas.jose import PrivateKey

_ISSUER, _T = "https://issuer.example", 1_800_000_000
_ROOT, _FIRST, _SECOND = (PrivateKey.generate() for _ in range(3))


def _signed(listed: DelegationList) -> InForce:
    return InForce.read(listed.signed(_ISSUER, _ROOT))


def test_what_stays_is_said_as_plainly_as_what_changes() -> None:
    jwks = [(key.public.jwk, Role.EVENT) for key in (_FIRST, _SECOND)]
    place = _signed(first_list(_ROOT.public, jwks, _T))
    place = _signed(place.retired(_FIRST.kid, Bound(epoch=1, n=7), _T, 365))
    place = _signed(place.distrusting(["stolen"], _T, 365, issuer=True))
    said = changes(place.listed, place.renewed(_T + 1), (_ROOT.kid, _ROOT.kid))
    assert said[0] == "version   3 -> 4"
    assert f"root      {_ROOT.kid}" in said
    assert "epoch     1" in said
    assert f"keeps     event key {_FIRST.kid} (EdDSA): retired at record 1/7" in said
    assert f"keeps     event key {_SECOND.kid} (EdDSA)" in said
    assert "distrusts still the whole issuer: every service refuses every token" in said
    assert "distrusts still stolen: every token that this key signed is refused" in said


def test_an_end_of_distrust_is_said() -> None:
    place = _signed(first_list(_ROOT.public, [(_FIRST.public.jwk, Role.EVENT)], _T))
    place = _signed(place.distrusting(["stolen"], _T, 365, issuer=True))
    said = changes(
        place.listed, place.trusting_again(["stolen"], _T, 365, issuer=True), (_ROOT.kid, _ROOT.kid)
    )
    assert "trusts the issuer again" in said
    assert "trusts    stolen again: tokens that this key signed are accepted" in said
