"""Print the rows of the attack catalogue and their tests; exit status 1 when one has none."""

import sys

from tests.attacks.rows import problems, report, tests_by_row

found = tests_by_row()
print("\n".join(report(found)))
if wrong := problems(found):
    sys.exit("\n".join(["", *wrong]))
