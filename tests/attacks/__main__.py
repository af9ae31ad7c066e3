"""Print the rows of the attack catalogue and their tests; exit status 1 when one has none."""

import sys

from tests.attacks.rows import covered, problems, report

found = covered()
print("\n".join(report(found)))
if wrong := problems(found):
    sys.exit("\n".join(["", *wrong]))
