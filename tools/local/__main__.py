"""The local platform's commands; `make help` lists them as a person uses them."""

import argparse
import signal
import sys

from . import callers, platform, state
from .progress import Failed


def main():
    """Runs one command. Exit code 1 and one line of text when it fails, 130 when it is interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    given = _arguments()
    try:
        return given.run(given) or 0
    except Failed as why:
        print(f"\n{why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started is stopped.", file=sys.stderr)
        return 130


def _interrupt(*_):
    raise KeyboardInterrupt


def _arguments():
    parser = argparse.ArgumentParser(prog="local", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    up = verbs.add_parser("up", help="start the platform and keep it")
    up.add_argument("--dacs-url", help="base URL of another DACS than the sandbox's")
    up.add_argument("--derms-url", help="base URL of another DERMS than the sandbox's")
    up.add_argument("--dacs-secret", help="JSON file with the credentials for that DACS")
    up.add_argument("--derms-secret", help="JSON file with the credentials for that DERMS")
    up.set_defaults(run=_up)

    verbs.add_parser("down", help="stop it and everything it started").set_defaults(run=_down)

    token = verbs.add_parser("token", help="print an access token of a sender")
    token.add_argument("sender", choices=("dacs", "derms", "operator"))
    token.set_defaults(run=lambda given: print(callers.token(state.read(), given.sender)))

    verbs.add_parser("env", help="print the environment for an AWS tool").set_defaults(run=_env)
    return parser.parse_args()


def _up(given):
    facts = platform.up(given.dacs_url or None, given.derms_url or None, given.dacs_secret or None, given.derms_secret or None)
    print(callers.how_to_try(facts))


def _down(_):
    ended = platform.down()
    print(f"Stopped ({ended} processes)." if ended else "Nothing was running.")


def _env(_):
    facts = state.read()
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        print(f"export {name}={platform.environment(facts)[name]}")


if __name__ == "__main__":
    sys.exit(main())
