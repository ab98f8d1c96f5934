"""The fault proxy between the functions and S3, as chaos tells it what to do."""

import json
import socket
import sys
import time
import urllib.error
import urllib.request

from .. import platform, processes, state
from ..progress import Failed

ENDPOINT = "AWS_ENDPOINT_URL_S3"
"""Of a function: where its S3 is. All other services stay where they are."""


class Proxy:
    """The running proxy. While no rule is set, S3 through it is S3."""

    def __init__(self, facts):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "local.fault_proxy", "--upstream", facts["endpoint"], "--port", str(port), "--no-resign"]
        env = processes.environment(facts["mark"], PYTHONPATH=str(platform.TOOLS))
        log = state.FOLDER / "proxy.log"
        process = processes.start(argv, env, log)
        until = time.monotonic() + 30
        while not self._answers():
            if process.poll() is not None or time.monotonic() > until:
                raise Failed(f"The fault proxy did not start; see {log}")
            time.sleep(0.1)

    def stand_between(self, facts):
        """From now on every function reaches S3 through it. No function may have run yet."""
        functions = platform.client(facts, "lambda")
        for name in facts["functions"].values():
            variables = functions.get_function_configuration(FunctionName=name).get("Environment", {}).get("Variables", {})
            functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables | {ENDPOINT: self.url}})
        return len(facts["functions"])

    def refuse(self, percent, code, seconds):
        """S3 answers 503 to so many of a hundred requests, for so long."""
        rule = {"service": "s3", "probability": percent / 100, "ttl_s": seconds, "error": {"code": code, "status": 503}}
        self._call("rules", [rule], "PATCH")

    def heal(self):
        """All rules end."""
        self._call("rules", [], "POST")

    def struck(self):
        """Faults by operation, and all requests that were seen."""
        faults, seen = {}, 0
        with self._open("metrics") as answer:
            for line in answer.read().decode().splitlines():
                name, _, value = line.rpartition(" ")
                if name == "microburst_requests_total":
                    seen = int(float(value))
                elif name.startswith("microburst_faults_total"):
                    operation = name.split('operation="')[1].split('"')[0]
                    faults[operation] = faults.get(operation, 0) + int(float(value))
        return faults, seen

    def _answers(self):
        try:
            with self._open("health"):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _call(self, path, body, method):
        with self._open(path, json.dumps(body).encode(), method):
            pass

    def _open(self, path, body=None, method=None):
        request = urllib.request.Request(f"{self.url}/_microburst/{path}", body, {"Content-Type": "application/json"}, method=method)
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10)
