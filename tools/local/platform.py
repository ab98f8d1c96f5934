"""`up` and `down`: the emulator, the neighbours, their secrets, the deployed template, the lookups."""

import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import boto3
from botocore.config import Config

from . import processes, state
from .progress import Failed, step

REGION = "us-east-1"
ACCOUNT = "000000000000"
STACK = "local"
ARTIFACTS = "local-artifacts"
TOOLS = state.ROOT / "tools"


def up(dacs_url=None, derms_url=None, dacs_secret=None, derms_secret=None, parameters=()):
    """Starts everything and gives its facts; ends what it started when anything fails or interrupts it."""
    processes.adopt()
    before = state.peek()
    if before and processes.marked(before["mark"]):
        raise Failed("A platform already runs in this clone. Stop it with `make down`.")
    shutil.rmtree(state.FOLDER, ignore_errors=True)
    (state.FOLDER / "tmp").mkdir(parents=True)
    facts = {"mark": uuid.uuid4().hex, "region": REGION, "account": ACCOUNT, "stack": STACK}
    state.write(facts)
    try:
        with step("emulator") as running:
            facts |= _start_emulator(facts["mark"])
            running.note = facts["endpoint"]
        state.write(facts)
        with step("neighbours") as running:
            urls, files = (dacs_url, derms_url), (dacs_secret, derms_secret)
            facts["neighbours"] = _neighbours(facts["mark"], urls, files, _dacs_release(parameters))
            running.note = ", ".join(each["url"] for each in facts["neighbours"].values())
        with step("secrets of the neighbours") as running:
            running.note = ", ".join(_put_secrets(facts))
        with step("deploy of the template") as running:
            _deploy(facts, parameters)
            facts |= described(facts)
            running.note = f"{len(facts['functions'])} functions"
        with step("lookups") as running:
            running.note = f"{_upload_lookups(facts)} files"
        state.write(facts)
        return facts
    except BaseException:
        down(facts["mark"])
        raise


def down(mark=None):
    """Ends the platform of this clone, or the one with this mark. Gives the number of processes ended."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)  # Impatience must not keep us from stopping the rest.
    facts = state.peek() or {}
    mark = mark or facts.get("mark")
    ended = processes.stop(mark, first=facts.get("emulatorPid")) if mark else 0
    if facts.get("mark") == mark:
        state.clear()
    return ended


def environment(facts):
    """The environment in which any AWS tool or SDK talks to this emulator, as the account's root."""
    return processes.environment(
        facts["mark"],
        AWS_ENDPOINT_URL=facts["endpoint"],
        AWS_ACCESS_KEY_ID=facts["accessKeyId"],
        AWS_SECRET_ACCESS_KEY=facts["secretAccessKey"],
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
    )


def client(facts, service):
    """A client of one service of the emulator, as the account's root."""
    return boto3.client(
        service,
        endpoint_url=facts["endpoint"],
        region_name=REGION,
        aws_access_key_id=facts["accessKeyId"],
        aws_secret_access_key=facts["secretAccessKey"],
        config=Config(retries={"max_attempts": 2}, s3={"addressing_style": "path"}, proxies={}),
    )


def _start_emulator(mark):
    for _ in range(3):
        port = _free_port()
        facts = {
            "mark": mark,
            "endpoint": f"http://127.0.0.1:{port}",
            "accessKeyId": "AKIA" + secrets.token_hex(8).upper(),
            "secretAccessKey": secrets.token_hex(20),
        }
        env = environment(facts) | {
            "PYTHONPATH": str(TOOLS),
            "PYTHONUNBUFFERED": "1",
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            # Listeners beside the gateway, which would bind to every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "MINISTACK_REGION": REGION,
            "LOG_LEVEL": "INFO",
            "TMPDIR": str(state.FOLDER / "tmp"),
        }
        process = processes.start([sys.executable, "-m", "local.emulator"], env, state.FOLDER / "emulator.log")
        if _answers(facts["endpoint"] + "/_ministack/health", process):
            return facts | {"emulatorPid": process.pid}
    raise Failed(f"The emulator did not start; see {state.FOLDER / 'emulator.log'}")


def _dacs_release(parameters):
    """The release that the stack takes DACS for: the sandbox is of the same one."""
    given = dict(each.split("=", 1) for each in parameters)
    return given.get("DacsRelease", "25.4")  # The template's default.


def _neighbours(mark, urls, secret_files, dacs_release):
    """The sandbox's systems, or those whose URLs were given. Credentials are drawn anew at each start."""
    (dacs_url, derms_url), (dacs_secret, derms_secret) = urls, secret_files
    oauth = {"clientId": "platform-" + secrets.token_hex(4), "clientSecret": secrets.token_hex(16)}
    basic = {"username": "platform-" + secrets.token_hex(4), "password": secrets.token_hex(16)}
    sandbox = None
    if not (dacs_url and derms_url):
        sandbox = _start_sandbox(mark, oauth, basic, dacs_release)
    dacs = {"url": dacs_url, "secret": _given(dacs_secret, basic)} if dacs_url else {
        "url": f"{sandbox}/dacs",
        "secret": {"kind": "oauth", "tokenUrl": f"{sandbox}/oauth/token", **oauth, "scope": "dacs"},
    }
    derms = {"url": derms_url, "secret": _given(derms_secret, basic)} if derms_url else {
        "url": f"{sandbox}/derms",
        "secret": {"kind": "basic", **basic},
    }
    return {"dacs": dacs, "derms": derms} | ({"sandbox": {"url": sandbox}} if sandbox else {})


def _given(path, basic):
    return json.loads(Path(path).read_text()) if path else {"kind": "basic", **basic}


def _start_sandbox(mark, oauth, basic, dacs_release):
    binary = Path(os.environ.get("CARGO_TARGET_DIR", state.ROOT / "target")) / "debug" / "sandbox"
    if not binary.exists():
        raise Failed(f"{binary} is not built yet: `make build`, or give DACS_URL and DERMS_URL.")
    argv = [str(binary), "--listen", "127.0.0.1:0", "--client-id", oauth["clientId"], "--client-secret", oauth["clientSecret"],
            "--username", basic["username"], "--password", basic["password"], "--dacs-release", dacs_release]
    log = state.FOLDER / "sandbox.log"
    process = processes.start(argv, processes.environment(mark), log, stdout=subprocess.PIPE)
    ready, _, _ = select.select([process.stdout], [], [], 15)
    line = process.stdout.readline() if ready else b""
    if not line:
        raise Failed(f"The sandbox did not start; see {log}")
    return "http://" + json.loads(line)["listening"]


def take_any_sync_request(facts):
    """Whoever tries the API by hand has not made a sync request in DACS first: the sandbox takes it as sent."""
    if "sandbox" not in facts["neighbours"]:
        return
    settings = json.dumps({"createUnknownSyncRequests": True}).encode()
    url = facts["neighbours"]["sandbox"]["url"] + "/control/dacs"
    request = urllib.request.Request(url, settings, {"Content-Type": "application/json"}, method="PUT")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10):
        pass


def _put_secrets(facts):
    manager = client(facts, "secretsmanager")
    for name in ("dacs", "derms"):
        manager.create_secret(Name=name, SecretString=json.dumps(facts["neighbours"][name]["secret"]))
    return ["dacs", "derms"]


def _deploy(facts, more):
    """Deploys infra/template.yaml with `sam deploy`, exactly as to an account."""
    s3 = client(facts, "s3")
    if ARTIFACTS not in [each["Name"] for each in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=ARTIFACTS)
    parameters = {
        "DacsBaseUrl": facts["neighbours"]["dacs"]["url"],
        "DermsBaseUrl": facts["neighbours"]["derms"]["url"],
        "Architecture": "arm64" if os.uname().machine in ("arm64", "aarch64") else "x86_64",
        "StatusHoldSeconds": "20",  # Ten minutes are long for whoever waits for the operator's turn.
        "NoticeWindowMinutes": "0",  # Whoever tries something wants to see each notice, at once.
    }
    argv = [str(Path(sys.executable).with_name("sam")), "deploy", "--config-env", "local", "--template-file", "infra/template.yaml",
            "--config-file", str(state.ROOT / "infra" / "samconfig.toml"),
            "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items()), *more]
    log = state.FOLDER / "deploy.log"
    with open(log, "ab") as sink:
        done = subprocess.run(argv, cwd=state.ROOT, env=environment(facts), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
    if done.returncode:
        raise Failed(f"The template was not deployed; {_why(facts)}see {log}")


def _why(facts):
    """The reasons CloudFormation gives, if it came that far."""
    try:
        events = client(facts, "cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    except Exception:  # Whatever keeps us from asking, the log has the rest.
        return ""
    failed = [f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}" for each in events if "FAILED" in each["ResourceStatus"]]
    return "".join(f"\n  {line}" for line in failed) + "\n"


def described(facts):
    """What the deployed stack says of itself, with the callers' secrets and URLs that work on this machine."""
    stack = client(facts, "cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    functions = client(facts, "lambda").list_functions()["Functions"]
    names = [each["FunctionName"] for each in functions]
    api = outputs["ApiUrl"].split("://")[1].split(".")[0]
    return {
        "outputs": outputs,
        "callers": _callers(facts, outputs),
        "functions": {name.removeprefix(f"{STACK}-"): name for name in names},
        "apiUrl": f"{facts['endpoint']}/_aws/execute-api/{api}/$default",
        "tokenUrl": f"{facts['endpoint']}/oauth2/token",
    }


def _callers(facts, outputs):
    """The senders' clients with their secrets; none when tokens come from an issuer given by parameter."""
    pool = outputs.get("CallersPoolId")
    if not pool:
        return {}
    callers = {}
    for sender in ("Dacs", "Derms", "Operator"):
        asked = client(facts, "cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=outputs[f"{sender}ClientId"])
        identity = asked["UserPoolClient"]
        callers[sender.lower()] = {
            "clientId": identity["ClientId"],
            "clientSecret": identity["ClientSecret"],
            "scopes": identity["AllowedOAuthScopes"],
        }
    return callers


def _upload_lookups(facts):
    s3 = client(facts, "s3")
    lookups = sorted((state.ROOT / "config" / "lookups").glob("*.csv"))
    for path in lookups:
        s3.upload_file(str(path), facts["outputs"]["ConfigBucket"], f"lookups/{path.name}")
    return len(lookups)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(url, process, patience=60):
    """Whether the URL answers before the process ends or patience does."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        try:
            with direct.open(url, timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False
