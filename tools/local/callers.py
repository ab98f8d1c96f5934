"""Calling the platform as its senders do."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request

from .progress import Failed


BOOKS = (("dacs", "sync requests in DACS"), ("derms", "enrollments and devices in the DERMS"), ("derms/scores", "scores in the DERMS"))


def token(facts, sender):
    """A fresh access token of this sender, with all its scopes."""
    if sender not in facts["callers"]:
        raise Failed("This stack takes tokens of another issuer; ask that one.")
    caller = facts["callers"][sender]
    secret = base64.b64encode(f"{caller['clientId']}:{caller['clientSecret']}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": " ".join(caller["scopes"])}).encode()
    request = urllib.request.Request(facts["tokenUrl"], form, {"Authorization": f"Basic {secret}"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.load(answer)["access_token"]
    except urllib.error.HTTPError as refused:
        raise Failed(f"No token for {sender}: {refused.code} {refused.read().decode(errors='replace')}") from refused


def how_to_try(facts):
    """What a person needs to try the running platform by hand."""
    outputs = facts["outputs"]
    buckets = {name: value for name, value in outputs.items() if name.endswith("Bucket")}
    sandbox = facts["neighbours"].get("sandbox", {}).get("url")
    books = [f"  {f'curl -s {sandbox}/control/{path}':<60} # {what}" for path, what in BOOKS if sandbox]
    lines = ["", "The platform runs. To try it from this folder:", "", f"  API              {facts['apiUrl']}"]
    lines += [f"  {name:<16} {value}" for name, value in sorted(buckets.items())]
    lines += [f"  ledger           {outputs['LedgerTableName']}"]
    lines += [f"  {name:<16} {each['url']}" for name, each in facts["neighbours"].items()]
    lines += [
        "",
        "  TOKEN=$(make -s token SENDER=dacs)          # or derms, operator",
        f"  curl -i -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\",
        f"       --data @events/dacs-derms-enrollment-sync/examples/valid-enroll-two-devices.json '{facts['apiUrl']}/v1/dacs/enrollment-sync'",
        "",
        "  make drop FLOW=dacs-derms-device-score FILE=events/dacs-derms-device-score/examples/valid-scores.csv",
        "  make drop FLOW=ouai-dacs-kwh-avoided FILE=events/ouai-dacs-kwh-avoided/examples/invalid-several-rows.csv",
        "  make runs                                  # what became of each file; make run ID=…",
        "  make look                                  # what was delivered and rejected; AT=s3://… prints a file",
        "  make invoke FLOW=dacs-derms-device-score   # one flow under cargo lambda",
        "  eval \"$(make -s env)\"                       # then any AWS tool or SDK talks to the emulator",
        *books,
        "",
        "  Logs are in .local/. Stop with `make down`.",
    ]
    return "\n".join(lines)
