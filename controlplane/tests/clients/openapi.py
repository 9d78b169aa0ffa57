"""Knows of the gateway only its OpenAPI document. Validates the document, asks everything that can be asked with GET and holds the
answers against it, and then generates a client and works with that.

    openapi.py URL TOKEN < ids.json

where ids.json says for "{path}" templates which ids there are.
"""

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

base, token = sys.argv[1], sys.argv[2]
ids = json.load(sys.stdin)


def ask(path, accept="application/json", with_token=True):
    request = urllib.request.Request(base + path, headers={"Accept": accept})
    if with_token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers.get_content_type(), answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.headers.get_content_type(), refusal.read()


status, kind, body = ask("/openapi.json", with_token=False)
assert (status, kind) == (200, "application/json"), (status, kind)
document = json.loads(body)
OpenAPIV31SpecValidator(document).validate()

registry = Registry().with_resource("urn:api", Resource(contents=document, specification=DRAFT202012))


def errors(schema, value):
    # References of the document are references into the whole of it.
    def absolute(node):
        if isinstance(node, dict):
            return {
                key: "urn:api" + part if key == "$ref" and part.startswith("#") else absolute(part)
                for key, part in node.items()
            }
        return [absolute(part) for part in node] if isinstance(node, list) else node

    validator = Draft202012Validator(absolute(schema), registry=registry)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


# Fields of answers that the document does not name are none of it: a schema that has forgotten some shows.
named = document["components"]["schemas"]
strict = {
    name: {**schema, "unevaluatedProperties": False}
    if "properties" in schema and "additionalProperties" not in schema
    else schema
    for name, schema in named.items()
}
registry = Registry().with_resource(
    "urn:api", Resource(contents={**document, "components": {**document["components"], "schemas": strict}}, specification=DRAFT202012)
)

wrong, asked, empty = [], 0, []
for template, methods in document["paths"].items():
    operation = methods.get("get")
    if operation is None:
        continue
    if "{" in template and template not in ids:
        empty.append(template)
        continue
    path = template if template not in ids else ids[template]
    for media, content in operation["responses"]["200"]["content"].items():
        query = "?format=csv" if media == "text/csv" and "{" not in template else ""
        status, kind, body = ask(path + query, accept=media)
        asked += 1
        where = f"GET {path}{query} as {media}"
        if status != 200 or kind != media:
            wrong.append(f"{where}: {status} {kind} {body[:300]}")
        elif media == "application/x-ndjson":
            lines = body.decode().splitlines()
            if not lines:
                wrong.append(f"{where}: there is nothing to look at")
            for line in lines:
                wrong += [f"{where}: {error}" for error in errors(content["x-ccag-line"], json.loads(line))]
        elif media == "application/json":
            wrong += [f"{where}: {error}" for error in errors(content["schema"], json.loads(body))]

problem = document["components"]["responses"]["Problem"]["content"]["application/problem+json"]["schema"]
for path in ["/admin/keys/key_none", "/admin/keys?limit=0", "/admin/nothing"]:
    status, kind, body = ask(path)
    if kind != "application/problem+json" or not 400 <= status < 500:
        wrong.append(f"GET {path}: {status} {kind}")
    wrong += [f"GET {path}: {error}" for error in errors(problem, json.loads(body))]

assert not wrong, "\n".join(wrong[:40])
assert not empty, f"nothing is known to ask for at {empty}"
assert asked > 60, asked

with tempfile.TemporaryDirectory() as home:
    home = Path(home)
    (home / "openapi.json").write_text(json.dumps(document))
    (home / "config.yaml").write_text("post_hooks: []\n")
    made = subprocess.run(
        [
            sys.executable, "-m", "openapi_python_client", "generate", "--path", str(home / "openapi.json"),
            "--output-path", str(home / "made"), "--meta", "none", "--fail-on-warning", "--config", str(home / "config.yaml"),
        ],
        capture_output=True, text=True,
    )
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    sys.path.insert(0, str(home))
    import importlib

    def api(module):
        return importlib.import_module(f"made.api.{module}")

    models = importlib.import_module("made.models")
    client = importlib.import_module("made").AuthenticatedClient(base_url=base, token=token)
    team = api("teams.create_team").sync(client=client, body=models.CreateTeam(name="Generated"))
    assert team.name == "Generated", team
    key = api("keys.create_key").sync(client=client, body=models.CreateKey(name="generated", team_id=team.id))
    assert key.key.startswith("sk-ccag-"), "no key"
    names = [one.name for one in api("keys.list_keys").sync(client=client, team_id=team.id).keys]
    assert names == ["generated"], names
    gone = api("keys.delete_key").sync_detailed(client=client, id=key.id)
    assert gone.status_code == 204, gone
    refused = api("keys.show_key").sync(client=client, id=key.id)
    assert isinstance(refused, models.ProblemBody) and refused.code == "not-found", refused

print(json.dumps({"asked": asked}))
