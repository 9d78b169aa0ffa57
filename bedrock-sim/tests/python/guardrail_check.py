"""boto3's guardrail parameters and ApplyGuardrail against the simulator, with signature checking on. Prints OK at the end."""

import json
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

URL, KEY_ID, SECRET = sys.argv[1:4]
runtime = boto3.client(
    "bedrock-runtime",
    region_name="us-east-1",
    endpoint_url=URL,
    aws_access_key_id=KEY_ID,
    aws_secret_access_key=SECRET,
)
GUARDRAIL = {
    "id": "gr1",
    "version": "1",
    "input_words": ["forbidden"],
    "output_words": ["simulated model"],
    "masked_words": ["Alice"],
    "blocked_input": "Not that.",
    "blocked_output": "Not said.",
}
request = urllib.request.Request(
    URL + "/_sim/guardrails", json.dumps(GUARDRAIL).encode(), {"content-type": "application/json"}
)
urllib.request.urlopen(request).read()


def invoke(text, **guardrail):
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
    }
    answer = runtime.invoke_model(
        modelId="us.anthropic.claude-haiku-4-5-20251001-v1:0", body=json.dumps(body), **guardrail
    )
    return json.loads(answer["body"].read())


def code(ask):
    try:
        ask()
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError("not refused")


ON = {"guardrailIdentifier": "gr1", "guardrailVersion": "1"}
assert "amazon-bedrock-guardrailAction" not in invoke("forbidden")
blocked = invoke("this is forbidden", **ON)
assert blocked["amazon-bedrock-guardrailAction"] == "INTERVENED", blocked
assert blocked["content"] == [{"type": "text", "text": "Not that."}] and blocked["usage"]["output_tokens"] == 0
assert "amazon-bedrock-trace" not in blocked
said = invoke("hello", trace="ENABLED", **ON)
assert said["content"][0]["text"] == "Not said." and said["usage"]["output_tokens"] > 0, said
assert said["amazon-bedrock-trace"]["guardrail"]["outputs"], said
assert code(lambda: invoke("x", guardrailIdentifier="gr1")) == "ValidationException"
assert code(lambda: invoke("x", guardrailIdentifier="gr2", guardrailVersion="1")) == "ValidationException"

stream = runtime.invoke_model_with_response_stream(
    modelId="us.anthropic.claude-haiku-4-5-20251001-v1:0",
    body=json.dumps(
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "forbidden"}],
        }
    ),
    **ON,
)
events = [json.loads(event["chunk"]["bytes"]) for event in stream["body"]]
assert events[-1]["amazon-bedrock-guardrailAction"] == "INTERVENED", events[-1]
assert all("amazon-bedrock-guardrailAction" not in event for event in events[:-1])


def apply(source, text):
    return runtime.apply_guardrail(
        guardrailIdentifier="gr1", guardrailVersion="1", source=source, content=[{"text": {"text": text}}]
    )


assert apply("INPUT", "hello")["action"] == "NONE"
assert apply("INPUT", "FORBIDDEN")["outputs"] == [{"text": "Not that."}]
assert apply("OUTPUT", "a simulated model")["outputs"] == [{"text": "Not said."}]
assert apply("INPUT", "I am Alice")["outputs"] == [{"text": "I am {MASKED}"}]
assert code(lambda: runtime.apply_guardrail(
    guardrailIdentifier="gr9", guardrailVersion="1", source="INPUT", content=[{"text": {"text": "x"}}]
)) == "ResourceNotFoundException"

print("OK")
