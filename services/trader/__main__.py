"""`python -m tickflag.services.trader`. `main` does the heavy imports: the fork server imports this file again."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickflag.common.lifecycle import Stop
    from tickflag.common.log import Logger
    from tickflag.common.runtime import Runtime
    from tickflag.common.settings import Settings


def main(settings: "Settings", runtime: "Runtime", log: "Logger", stop: "Stop") -> None:
    import zmq

    from tickflag.services.trader.supervisor.service import Supervisor

    context = zmq.Context()
    supervisor = Supervisor(settings, runtime, context, log)
    try:
        supervisor.run(stop)
    finally:
        supervisor.close()
        context.term()


if __name__ == "__main__":
    from tickflag.common.lifecycle import run_service

    sys.exit(run_service("trader", main))
