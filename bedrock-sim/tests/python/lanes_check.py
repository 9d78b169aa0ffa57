"""The Anthropic SDK's client for bedrock-mantle against both lanes, with signature checking on. Prints OK at the end."""

import sys

import anthropic
import anthropic.lib.bedrock._mantle as mantle
from anthropic import AnthropicBedrockMantle

URL, KEY_ID, SECRET = sys.argv[1:4]


def client(path):
    return AnthropicBedrockMantle(
        aws_region="us-east-1", aws_access_key=KEY_ID, aws_secret_key=SECRET, base_url=URL + path, max_retries=0
    )


TOOLS = [
    {
        "name": "weather",
        "description": "Tells the weather.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
ASK = [{"role": "user", "content": "Use the weather tool for `Zürich`"}]


def tool_loop(lane, model):
    with lane.messages.stream(
        model=model, max_tokens=4000, thinking={"type": "adaptive"}, tools=TOOLS, messages=ASK
    ) as stream:
        streamed = stream.get_final_message()
    assert [block.type for block in streamed.content] == ["thinking", "text", "tool_use"], streamed
    assert streamed.usage.output_tokens > 0 and streamed.usage.input_tokens > 0
    closing = lane.messages.create(
        model=model,
        max_tokens=4000,
        thinking={"type": "adaptive"},
        tools=TOOLS,
        messages=ASK
        + [
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in streamed.content]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": streamed.content[2].id, "content": "Sunny"}],
            },
        ],
    )
    assert "Sunny" in closing.content[-1].text and closing.stop_reason == "end_turn", closing


def refused(kind, ask):
    try:
        ask()
    except kind as error:
        return error.body["error"]
    raise AssertionError(f"no {kind.__name__}")


hi = [{"role": "user", "content": "hi"}]
man = client("/mantle/anthropic")
tool_loop(man, "anthropic.claude-opus-4-8")
counted = man.messages.count_tokens(model="anthropic.claude-opus-5-5", messages=hi)
assert counted.input_tokens > 0, counted
missing = refused(
    anthropic.NotFoundError,
    lambda: man.messages.create(model="us.anthropic.claude-opus-5-5", max_tokens=9, messages=hi),
)
assert missing["type"] == "not_found_error", missing

# Bedrock Runtime speaks the same format under its own service name.
wrong_service = refused_status = None
rta = client("/anthropic")
try:
    rta.messages.create(model="us.anthropic.claude-opus-4-8", max_tokens=9, messages=hi)
except anthropic.PermissionDeniedError as error:
    wrong_service = error
assert wrong_service is not None, "a signature for bedrock-mantle is not one for bedrock"
mantle.DEFAULT_SERVICE_NAME = "bedrock"
tool_loop(rta, "us.anthropic.claude-opus-4-8")
beta = refused(
    anthropic.BadRequestError,
    lambda: rta.beta.messages.create(
        model="us.anthropic.claude-opus-4-8", max_tokens=9, messages=hi, betas=["novel-2030-01-01"]
    ),
)
assert "Unexpected value(s) `novel-2030-01-01` for the `anthropic-beta` header." == beta["message"], beta
user = refused(
    anthropic.BadRequestError,
    lambda: rta.messages.create(
        model="us.anthropic.claude-opus-4-8", max_tokens=9, messages=hi, metadata={"user_id": '{"a": 1}'}
    ),
)
assert "violates the regular expression" in user["message"], user

print("OK")
