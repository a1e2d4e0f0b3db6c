"""`make bench`: how the audit's time and memory grow with the number of functions.

The account is a fake that answers at once. On AWS, 15 requests a second and Region make an audit of
10,000 functions take about 22 minutes.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from failure_destinations.audit import Auditor
from tests.audit.account_of_paper import REGION, PaperAccount

print(f"{'functions':>10}{'requests':>10}{'seconds':>9}{'peak MB':>9}{'findings':>10}")
for functions in (200, 1_000, 10_000):
    auditor = Auditor(PaperAccount(functions).session, [REGION])
    auditor.begin()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        audit = auditor.run(auditor.journal(Path(folder) / "state"))
        seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{functions:>10,}{audit.requests:>10,}{seconds:>9.1f}{peak:>9.0f}"
        f"{len(audit.findings):>10,}",
        flush=True,
    )
