"""`python -m services.trader`. Imports nothing of weight at the top: the fork server imports this module again."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from common.lifecycle import Stop
    from common.log import Logger
    from common.runtime import Runtime
    from common.settings import Settings


def main(settings: "Settings", runtime: "Runtime", log: "Logger", stop: "Stop") -> None:
    import zmq

    from services.trader.supervisor import Supervisor

    context = zmq.Context()
    supervisor = Supervisor(settings, runtime, context, log)
    try:
        supervisor.run(stop)
    finally:
        supervisor.close()
        context.term()


if __name__ == "__main__":
    from common.lifecycle import run_service

    sys.exit(run_service("trader", main))
