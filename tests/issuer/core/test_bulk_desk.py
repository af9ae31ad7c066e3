"""Lines of files on both databases: the table is the readers', and everybody else has his turn."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from revocast.issuer.authority.bulk import Bulk, Line, Manner
from revocast.issuer.authority.revocations import Revocation
from revocast.issuer.errors import Conflict
from revocast.schemas.row import Slot
from revocast.schemas.selector import Selector
from tests.issuer.core.authority import ISSUER, Authority, T, model_of

BULK = Bulk("op", "file", "client:a", "a leak")


def manner(kind: str, slot: Slot, code: int, until: int | None = None) -> Callable[[str, Authority], Line]:
    shared = Manner(Revocation(Selector(ISSUER, kind, ("x",)), slot, expires_at=until), code)

    def line(value: str, authority: Authority) -> Line:
        return Line(authority.terms.name(Selector(ISSUER, kind, (value,)))[0], (value,), shared)

    return line


def allow(_rows: int) -> None:
    pass


def lines_of(authority: Authority, count: int, make: Callable[..., Line]) -> list[Line]:
    return [make(f"name-{number}", authority) for number in range(count)]


def test_the_table_is_the_readers_byte_for_byte_and_names_and_reasons_are_kept(authority: Authority) -> None:
    token, subject = manner("token", Slot.BLOCK, 0), manner("subject", Slot.CUTOFF, 4)
    longer = manner("subject", Slot.BLOCK, 4, T + 50)
    lines = [
        *lines_of(authority, 1500, token),
        *lines_of(authority, 300, subject),
        *lines_of(authority, 300, longer),
        *lines_of(authority, 300, subject),
    ]
    wrote = authority.service.revoke_lines(lines, BULK, allow)
    assert (wrote.rows, wrote.records, wrote.receipt.n) == (2100, 3, 4)
    assert authority.service.status().table == model_of(authority.service).pack()
    rows, _ = authority.service.list_revocations(kind="subject", value="name-7")
    assert {(row.row.slot, row.actor, row.reason) for row in rows} == {
        (Slot.CUTOFF, "client:a", "a leak"),
        (Slot.BLOCK, "client:a", "a leak"),
    }
    again = authority.service.revoke_lines(lines, BULK, allow)
    assert (again.rows, again.records, again.receipt.n) == (0, 0, 4)
    authority.clock.now += 100
    assert (
        authority.service.count_lines(lines).rows == 600
    )  # cutoffs move on, counted where they stand twice; blocks are over
    later = authority.service.revoke_lines(lines, BULK, allow)
    assert later.rows == 300
    assert authority.service.status().table == model_of(authority.service).pack()


def test_what_is_not_allowed_undoes_the_whole_turn(authority: Authority) -> None:
    lines = lines_of(authority, 2500, manner("token", Slot.BLOCK, 0))
    left = [2000]

    def spend(rows: int) -> None:
        left[0] -= rows
        if left[0] < 0:
            raise Conflict("no more")

    with pytest.raises(Conflict):
        authority.service.revoke_lines(lines, BULK, spend)
    assert authority.service.status().n == 1 and not authority.audited("revocast.revoked.many")


def test_single_revocations_and_other_files_write_at_the_same_time(authority: Authority) -> None:
    other = authority.other()[0]
    make = manner("token", Slot.BLOCK, 0)
    lines = lines_of(authority, 4000, make)

    def file(service: object) -> int:
        return sum(
            service.revoke_lines(lines[start : start + 500], BULK, allow).rows  # type: ignore[attr-defined]
            for start in range(0, 4000, 500)
        )

    with ThreadPoolExecutor(4) as pool:
        files = [pool.submit(file, service) for service in (authority.service, other)]
        singles = [pool.submit(authority.block, "subject", f"user-{number}") for number in range(20)]
        assert sum(each.result() for each in files) == 4000
        assert all(each.result().changed for each in singles)
    assert authority.service.status().table == model_of(authority.service).pack()
