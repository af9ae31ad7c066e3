import pytest

from revocast.dev.demo.report import Measured, Report, percentiles


def test_one_expectation_that_does_not_hold_fails_the_demo_and_stands_in_the_summary(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = Report(("orders",))
    with report.scene("Good"):
        report.expect(True, "it holds")
        report.refusals(Measured({"orders": 0.02}, {"orders": 0.0061}))
    assert not report.failed
    with report.scene("Bad"):
        report.expect(False, "a revoked token is refused")
    assert report.failed
    report.summary()
    summary = capsys.readouterr().out.partition("Summary")[2]
    assert "✓  Good" in summary
    assert "6.1 ms" in summary
    assert "✗  Bad" in summary
    assert "a revoked token is refused" in summary


def test_percentiles_are_of_the_figures_that_were_measured() -> None:
    assert percentiles([index / 1000 for index in range(1, 101)]) == "p50 50.5 ms, p99 99.0 ms, max 100.0 ms"
    assert percentiles([0.002]) == "p50 2.0 ms, p99 2.0 ms, max 2.0 ms"
