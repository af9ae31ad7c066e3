"""`python -m revocast.dev.broker [NODES]`: run Kafka until Ctrl-C; the bootstrap address is all of stdout."""

import argparse
import signal
import sys

from revocast.dev.broker import BrokerError, running_broker


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m revocast.dev.broker", description="Run Kafka until Ctrl-C."
    )
    parser.add_argument("nodes", nargs="?", type=int, choices=(1, 3), default=1)
    nodes = parser.parse_args().nodes
    wanted = {signal.SIGINT, signal.SIGTERM}
    try:
        with running_broker(nodes, own=True) as broker:
            signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
            print(broker.bootstrap, flush=True)
            signal.sigwait(wanted)
    except BrokerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
