"""The local platform's commands; `make help` lists them as a person uses them."""

import argparse
import shlex
import signal
import subprocess
import sys

from . import account, callers, chaos, demo, files, invoke, platform, state
from .progress import Failed

ENVIRONMENT = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION")


def main():
    """Runs one command. Exit code 1 and one line of text when it fails, 130 when it is interrupted."""
    for sign in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, _interrupt)
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
    up.add_argument("parameters", nargs="*", metavar="NAME=VALUE", help="further parameters of the template")
    up.set_defaults(run=_up)

    verbs.add_parser("down", help="stop it and everything it started").set_defaults(run=_down)

    token = verbs.add_parser("token", help="print an access token of a sender")
    token.add_argument("sender", choices=("dacs", "derms", "operator"))
    token.set_defaults(run=lambda given: print(callers.token(state.read(), given.sender)))

    env = verbs.add_parser("env", help="print the environment for an AWS tool, or a function's own")
    env.add_argument("--flow")
    env.set_defaults(run=_env)

    during = verbs.add_parser("during", help="run a command while a platform runs, and stop it afterwards")
    during.add_argument("command", nargs=argparse.REMAINDER)
    during.set_defaults(run=_during)

    verbs.add_parser("demo", help="run all flows, and give an account of what became of it").set_defaults(run=lambda _: demo.demo())

    rough = verbs.add_parser("chaos", help="traffic over all flows while processes are killed and S3 and the neighbours fail; do the books balance?")
    rough.add_argument("--seconds", type=int, default=120, help="of traffic and faults; 120 if not given")
    rough.add_argument("--seed", type=int, default=0, help="what is sent and what goes wrong; a fresh one, which is printed, if not given")
    rough.set_defaults(run=lambda given: chaos.chaos(given.seconds, given.seed))

    drop = verbs.add_parser("drop", help="put a file where a flow takes it")
    drop.add_argument("flow")
    drop.add_argument("file")
    drop.set_defaults(run=lambda given: print(files.drop(state.read(), given.flow, given.file)))

    look = verbs.add_parser("look", help="list the files dropped, delivered and rejected, or print one of them")
    look.add_argument("address", nargs="?", default="")
    look.set_defaults(run=_look)

    one = verbs.add_parser("invoke", help="run one function with its trigger")
    one.add_argument("flow")
    one.set_defaults(run=lambda given: invoke.invoke(state.read(), given.flow))

    deploy = verbs.add_parser("deploy", help="build for Lambda and deploy to an account")
    deploy.add_argument("--env", default="prod")
    deploy.set_defaults(run=lambda given: account.deploy(given.env))
    return parser.parse_args()


def _up(given):
    facts = platform.up(
        given.dacs_url or None,
        given.derms_url or None,
        given.dacs_secret or None,
        given.derms_secret or None,
        given.parameters,
    )
    platform.take_any_sync_request(facts)
    print(callers.how_to_try(facts))


def _down(_):
    ended = platform.down()
    print(f"Stopped ({ended} processes)." if ended else "Nothing was running.")


def _during(given):
    facts = platform.up()
    try:
        code = subprocess.run(given.command, cwd=state.ROOT, env=platform.environment(facts)).returncode
    finally:
        platform.down(facts["mark"])
    if code:
        _print_complaints()
    return code


def _print_complaints():
    """What the functions logged as errors, and why their doors answered 503: of a failed run, often the reason."""
    log = (state.FOLDER / "emulator.log").read_text(errors="replace").splitlines()
    found = [line for line in log if '"level":"ERROR"' in line or '"message":"not accepted"' in line]
    for line in found[-20:]:
        print(line[:600], file=sys.stderr)


def _look(given):
    facts = state.read()
    for line in [files.text(facts, given.address)] if given.address else files.listing(facts):
        print(line)


def _env(given):
    facts = state.read()
    if given.flow:
        variables = invoke.environment(facts, given.flow)
    else:
        variables = {name: value for name, value in platform.environment(facts).items() if name in ENVIRONMENT}
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


if __name__ == "__main__":
    sys.exit(main())
