import pytest

from revocast.cli.errors import Misused
from revocast.cli.selectors import Kind, selector_of, words_of


@pytest.mark.parametrize(
    ("kind", "values", "client", "selector", "words"),
    [
        (Kind.SUBJECT, ["alice"], None, {"kind": "subject", "values": ["alice"]}, "subject alice"),
        (
            Kind.SUBJECT,
            ["alice"],
            "app",
            {"kind": "subject+client", "values": ["alice", "app"]},
            "client app for subject alice",
        ),
        (
            Kind.CLAIM,
            ["tenant", "acme"],
            None,
            {"kind": "claim:tenant", "values": ["acme"]},
            "claim tenant = acme",
        ),
        (Kind.ISSUER, [], None, {"kind": "issuer", "values": []}, "the whole issuer"),
    ],
)
def test_words_become_a_selector_and_words_again(
    kind: Kind, values: list[str], client: str | None, selector: dict[str, object], words: str
) -> None:
    assert selector_of(kind, values, client=client) == selector
    assert words_of(selector) == words


def test_a_foreign_issuer_is_named_in_the_selector() -> None:
    assert selector_of(Kind.SESSION, ["s"], token_issuer="https://other")["issuer"] == "https://other"


@pytest.mark.parametrize(
    ("kind", "values", "client"),
    [
        (Kind.SUBJECT, [], None),
        (Kind.CLAIM, ["tenant"], None),
        (Kind.ISSUER, ["x"], None),
        (Kind.GRANT, ["g"], "app"),
    ],
)
def test_a_wrong_number_of_values_is_answered_with_how_to_write_it(
    kind: Kind, values: list[str], client: str | None
) -> None:
    with pytest.raises(Misused, match=r"takes|narrows") as refused:
        selector_of(kind, values, client=client)
    assert "Write:" in refused.value.hint
