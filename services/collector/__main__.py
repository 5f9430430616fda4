"""`python -m tickflag.services.collector`"""

import sys

from tickflag.common.lifecycle import run_service
from tickflag.services.collector.service import run

if __name__ == "__main__":
    sys.exit(run_service("collector", run))
