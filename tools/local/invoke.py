"""One function on this machine, under `cargo lambda watch`, as its deployed twin would run."""

import json
import os
import socket
import subprocess
import time
import uuid
from contextlib import contextmanager

from . import platform, processes, state
from .progress import Failed, step


def environment(facts, flow):
    """The environment of the deployed function: its variables, and credentials of its own role."""
    if flow not in facts["functions"]:
        raise Failed(f"No flow {flow!r}; there are: {', '.join(sorted(facts['functions']))}")
    deployed = platform.client(facts, "lambda").get_function_configuration(FunctionName=facts["functions"][flow])
    role = platform.client(facts, "sts").assume_role(RoleArn=deployed["Role"], RoleSessionName=flow)["Credentials"]
    return {
        **deployed["Environment"]["Variables"],
        "AWS_ENDPOINT_URL": facts["endpoint"],
        "AWS_REGION": facts["region"],
        "AWS_ACCESS_KEY_ID": role["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": role["SecretAccessKey"],
        "AWS_SESSION_TOKEN": role["SessionToken"],
    }


def invoke(facts, flow):
    """Runs the flow once on events/<flow>/trigger.json and prints its answer."""
    mark = uuid.uuid4().hex
    env = processes.environment(mark) | environment(facts, flow)
    port = _free_port()
    log = state.FOLDER / f"watch-{flow}.log"
    argv = ["cargo", "lambda", "watch", "--ignore-changes", "--invoke-address", "127.0.0.1", "--invoke-port", str(port), "--package", flow]
    try:
        with _event(facts, flow) as event:
            with step("cargo lambda watch") as running:
                watch = processes.start(argv, env, log)
                _wait_for(port, watch, log)
                running.note = f"log in {log.relative_to(state.ROOT)}"
            with step("cargo lambda invoke"):
                answer = subprocess.run(
                    ["cargo", "lambda", "invoke", flow, "--invoke-address", "127.0.0.1", "--invoke-port", str(port), "--data-file", str(event)],
                    cwd=state.ROOT, env=env, capture_output=True, text=True,
                )
    finally:
        processes.stop(mark)
    print(answer.stdout.strip() or answer.stderr.strip())
    return answer.returncode


@contextmanager
def _event(facts, flow):
    """The flow's trigger. A file's is completed with the version of the example that is uploaded for it, while the
    deployed twin is kept from taking it first; afterwards the twin gets the same event, which changes nothing."""
    trigger = state.ROOT / "events" / flow / "trigger.json"
    event = json.loads(trigger.read_text())
    uploads = [each for record in event.get("Records", []) for each in _s3_records(record)]
    if not uploads:
        yield trigger
        return
    functions = platform.client(facts, "lambda")
    sources = [each["UUID"] for each in functions.list_event_source_mappings(FunctionName=facts["functions"][flow])["EventSourceMappings"]]
    for source in sources:
        functions.update_event_source_mapping(UUID=source, Enabled=False)
    try:
        for record in event["Records"]:
            record["body"] = json.dumps({"Records": [_uploaded(facts, flow, each) for each in _s3_records(record)]})
        filled = state.FOLDER / f"trigger-{flow}.json"
        filled.write_text(json.dumps(event, indent=2))
        yield filled
    finally:
        for source in sources:
            functions.update_event_source_mapping(UUID=source, Enabled=True)


def _s3_records(record):
    if record.get("eventSource") != "aws:sqs":
        return []
    try:
        body = json.loads(record["body"])
    except ValueError:
        return []
    return [each for each in body.get("Records", []) if "s3" in each] if isinstance(body, dict) else []


def _uploaded(facts, flow, record):
    bucket, item = record["s3"]["bucket"], record["s3"]["object"]
    example = state.ROOT / "events" / flow / "examples" / os.path.basename(item["key"])
    body = example.read_bytes()
    put = platform.client(facts, "s3").put_object(Bucket=bucket["name"], Key=item["key"], Body=body)
    item |= {"versionId": put["VersionId"], "eTag": put["ETag"].strip('"'), "size": len(body)}
    return record


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port, process, log, patience=600):
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise Failed(f"`cargo lambda watch` did not start; see {log}")
