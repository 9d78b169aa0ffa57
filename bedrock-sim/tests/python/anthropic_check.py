"""The Anthropic SDK's Bedrock client against the simulator, with signature checking on. Prints OK at the end."""

import sys

from anthropic import AnthropicBedrock, BadRequestError

URL, KEY_ID, SECRET = sys.argv[1:4]
client = AnthropicBedrock(
    aws_region="us-east-1", aws_access_key=KEY_ID, aws_secret_key=SECRET, base_url=URL, max_retries=0
)
TOOLS = [
    {
        "name": "weather",
        "description": "Tells the weather.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
            "required": ["city", "unit"],
        },
    }
]
ASK = [{"role": "user", "content": "Use the weather tool for `Zürich`"}]

HAIKU = {
    "model": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "max_tokens": 4000,
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "tools": TOOLS,
    "messages": ASK,
}
# The client's own version of the API is not known to models that have a version in their id.
try:
    client.messages.create(**HAIKU)
    raise SystemExit("a version that the model does not know was taken")
except BadRequestError as error:
    assert "anthropic_version" in str(error), error
whole = client.messages.create(**HAIKU, extra_body={"anthropic_version": "bedrock-2023-05-31"})
assert [block.type for block in whole.content] == ["thinking", "text", "tool_use"], whole
assert whole.content[2].input == {"city": "Zürich", "unit": "C"}, whole
assert whole.stop_reason == "tool_use"

with client.messages.stream(
    model="us.anthropic.claude-opus-4-8", max_tokens=4000, thinking={"type": "adaptive"}, tools=TOOLS, messages=ASK
) as stream:
    streamed = stream.get_final_message()
assert [block.type for block in streamed.content] == ["thinking", "text", "tool_use"], streamed
assert streamed.usage.output_tokens > 0 and streamed.usage.input_tokens > 0

follow_up = ASK + [
    {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in streamed.content]},
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": streamed.content[2].id, "content": "Sunny, 21 °C"}],
    },
]
closing = client.messages.create(
    model="us.anthropic.claude-opus-4-8",
    max_tokens=4000,
    thinking={"type": "adaptive"},
    tools=TOOLS,
    messages=follow_up,
)
assert "Sunny, 21 °C" in closing.content[-1].text, closing
assert closing.stop_reason == "end_turn"

print("OK")
