"""`python -m services.collector`"""

import sys

from common.lifecycle import run_service
from services.collector.service import run

if __name__ == "__main__":
    sys.exit(run_service("collector", run))
