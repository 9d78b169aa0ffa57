"""boto3 against the simulator, with signature checking on. Prints OK at the end, or fails with a traceback."""

import base64
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL, KEY_ID, SECRET = sys.argv[1:4]
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
NO_RETRIES = Config(retries={"total_max_attempts": 1})


def client(service, key_id=KEY_ID, secret=SECRET, token=None):
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=URL,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=NO_RETRIES,
    )


def body(**changes):
    request = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 2000,
        "messages": [{"role": "user", "content": "Hello, Zoë 🙂"}],
    }
    request.update(changes)
    return json.dumps(request)


def refused(call, code):
    try:
        call()
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response["Error"]["Message"]
    raise AssertionError(f"not refused with {code}")


runtime = client("bedrock-runtime")

whole = runtime.invoke_model(modelId=MODEL, body=body())
answer = json.loads(whole["body"].read())
assert answer["role"] == "assistant" and "Zoë 🙂" in answer["content"][0]["text"], answer
assert whole["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-output-token-count"] == str(
    answer["usage"]["output_tokens"]
)

stream = runtime.invoke_model_with_response_stream(modelId=MODEL, body=body())
events = [json.loads(event["chunk"]["bytes"]) for event in stream["body"]]
text = "".join(
    event["delta"]["text"]
    for event in events
    if event["type"] == "content_block_delta" and event["delta"]["type"] == "text_delta"
)
assert text == answer["content"][0]["text"], text
assert events[0]["type"] == "message_start" and events[-1]["type"] == "message_stop"
metrics = events[-1]["amazon-bedrock-invocationMetrics"]
assert metrics["outputTokenCount"] == answer["usage"]["output_tokens"], metrics

message = refused(lambda: runtime.invoke_model(modelId=MODEL, body=body(stream=True)), "ValidationException")
assert "extraneous key [stream]" in message, message
refused(lambda: runtime.invoke_model(modelId="anthropic.claude-opus-5-5", body=body()), "ValidationException")

inner = base64.b64encode(body().encode()).decode()
counted = runtime.count_tokens(
    modelId="anthropic.claude-haiku-4-5-20251001-v1:0", input={"invokeModel": {"body": body().encode()}}
)
assert counted["inputTokens"] > 0, counted
assert inner

bedrock = client("bedrock")
pages = bedrock.get_paginator("list_inference_profiles").paginate(
    typeEquals="SYSTEM_DEFINED", PaginationConfig={"PageSize": 7}
)
profiles = [profile["inferenceProfileId"] for page in pages for profile in page["inferenceProfileSummaries"]]
assert len(profiles) == len(set(profiles)) > 50 and MODEL in profiles, profiles
one = bedrock.get_inference_profile(inferenceProfileIdentifier=MODEL)
assert one["models"][0]["modelArn"].endswith("anthropic.claude-haiku-4-5-20251001-v1:0"), one
models = [model["modelId"] for model in bedrock.list_foundation_models(byProvider="anthropic")["modelSummaries"]]
assert len(models) >= 20
available = bedrock.get_foundation_model_availability(modelId=models[0])
assert available["agreementAvailability"]["status"] == available["entitlementAvailability"] == "AVAILABLE", available
assert available["authorizationStatus"] == "AUTHORIZED", available
assert available["regionAvailability"] == "AVAILABLE", available

arn = one["inferenceProfileArn"]
assert json.loads(runtime.invoke_model(modelId=arn, body=body())["body"].read())["role"] == "assistant"

issued = client("sts").assume_role(
    RoleArn="arn:aws:iam::444455556666:role/gateway", RoleSessionName="check", ExternalId="external"
)["Credentials"]
assumed = client("bedrock-runtime", issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
assert json.loads(assumed.invoke_model(modelId=MODEL, body=body())["body"].read())["role"] == "assistant"

stranger = client("bedrock-runtime", KEY_ID, "wrong-secret")
refused(lambda: stranger.invoke_model(modelId=MODEL, body=body()), "InvalidSignatureException")
unknown = client("bedrock-runtime", "AKIAUNKNOWN", SECRET)
refused(lambda: unknown.invoke_model(modelId=MODEL, body=body()), "UnrecognizedClientException")
without_token = client("bedrock-runtime", issued["AccessKeyId"], issued["SecretAccessKey"])
refused(lambda: without_token.invoke_model(modelId=MODEL, body=body()), "UnrecognizedClientException")

print("OK")
