"""`python -m tickflag.services.dashboard`"""

import sys

from tickflag.common.lifecycle import run_service
from tickflag.services.dashboard.service import run

if __name__ == "__main__":
    sys.exit(run_service("dashboard", run))
