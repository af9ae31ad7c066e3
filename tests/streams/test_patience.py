"""When a stand-still has lasted too long."""

from revocast.streams.patience import Patience


def test_a_place_that_does_not_move_is_asked_about_ever_more_rarely() -> None:
    patience = Patience()
    ends = [second for second in range(200) if patience.ends("here", float(second))]
    assert ends == [3, 9, 21, 45, 93, 153]


def test_moving_on_begins_anew() -> None:
    patience = Patience()
    assert not any(patience.ends(place, float(place)) for place in range(100))
    assert patience.ends(99, 102.0)
