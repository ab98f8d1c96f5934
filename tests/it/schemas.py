"""The schemas of events/<flow>/schema.json say what the doors do: they take each valid example, and refuse of each
invalid one exactly the faults that `expected.csv` marks under `schema`: `yes`, or the place where the schema sees it.
docs/openapi.json takes the examples that it shows. Run by `make lint`.
"""

import csv
import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events"


def main():
    """Exit code 1, and a line for each example that is not as its flow says."""
    wrong, seen = [], 0
    schemas = sorted(EVENTS.glob("*/schema.json"))
    for path in schemas:
        schema = json.loads(path.read_text())
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        expected = _expected(path.parent / "examples" / "expected.csv")
        for example in sorted(path.parent.glob("examples/*.json")):
            seen += 1
            wrong += [f"{path.parent.name}/{example.name}: {why}" for why in _check(validator, example, expected)]
    shown = list(_shown(json.loads((ROOT / "docs" / "openapi.json").read_text())))
    wrong += [f"docs/openapi.json: {where}: {why}" for where, why in shown if why]
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{len(schemas)} schemas, {seen} examples, {len(shown)} shown in docs/openapi.json, {len(wrong)} not as expected")
    return 1 if wrong or not seen or not shown else 0


def _shown(document):
    """Each example of a request in the document, and what its own schema has against it."""
    for path, item in document["paths"].items():
        for operation in item.values():
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                examples = {name: each["value"] for name, each in content.get("examples", {}).items()}
                if "example" in content:
                    examples["example"] = content["example"]
                validator = Draft202012Validator({**document, **content["schema"]})
                for name, value in examples.items():
                    refused = next(validator.iter_errors(value), None)
                    yield f"{path} {kind} {name}", refused and refused.message


def _expected(path):
    """By file: the pointers that the schema refuses, and whether it is JSON at all."""
    files = {}
    with open(path, newline="") as lines:
        for line in csv.DictReader(lines):
            files.setdefault(line["file"], []).append((line["pointer"], line["schema"]))
    return files


def _check(validator, example, expected):
    faults = expected.get(example.name, [])
    try:
        message = json.loads(example.read_text())
    except ValueError:
        if not any(schema == "not JSON" for _, schema in faults):
            yield "is not JSON"
        return
    wanted = {schema if schema.startswith("/") else pointer for pointer, schema in faults if schema not in ("no", "not JSON")}
    refused = {pointer for error in validator.iter_errors(message) for pointer in _pointers(error)}
    for pointer in sorted(wanted):
        if not any(_above(found, pointer) for found in refused):
            yield f"the schema does not refuse {pointer or 'the whole'}"
    for found in sorted(refused):
        if not any(_above(found, pointer) or _above(pointer, found) for pointer in wanted):
            yield f"the schema refuses {found or 'the whole'}"


def _pointers(error):
    """Where an error is: the members that are missing, or the place itself."""
    place = "".join(f"/{part}" for part in error.absolute_path)
    if error.validator == "required":
        return [f"{place}/{name}" for name in error.validator_value if name not in error.instance]
    return [place]


def _above(upper, lower):
    return lower == upper or lower.startswith(upper + "/")


if __name__ == "__main__":
    sys.exit(main())
