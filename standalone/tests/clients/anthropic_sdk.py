"""Talks to the gateway with Anthropic's Python SDK and prints, one JSON line per answer, what the SDK saw."""

import json

import anthropic

MODEL = "claude-sonnet-4-6"
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a place",
        "input_schema": {
            "type": "object",
            "properties": {"query": {"type": "string"}, "days": {"type": "integer", "minimum": 1}},
            "required": ["query", "days"],
        },
    }
]

client = anthropic.Anthropic(max_retries=0)


def ask(streaming, **request):
    if streaming:
        with client.messages.stream(**request) as stream:
            text = "".join(stream.text_stream)
            message = stream.get_final_message()
        assert text == "".join(block.text for block in message.content if block.type == "text")
    else:
        message = client.messages.create(**request)
    seen = message.model_dump(mode="json", exclude_none=True)
    print(json.dumps({"streaming": streaming, "message": seen}), flush=True)
    return message


for streaming in (False, True):
    ask(streaming, model=MODEL, max_tokens=1000, messages=[{"role": "user", "content": "Zoë says 一二三 🙂"}])
    request = dict(
        model=MODEL,
        max_tokens=6000,
        tools=TOOLS,
        thinking={"type": "enabled", "budget_tokens": 2000},
        messages=[{"role": "user", "content": "Use the get_weather tool for `Zürich ☀`"}],
    )
    first = ask(streaming, **request)
    call = next(block for block in first.content if block.type == "tool_use")
    # The history goes back as it came: thinking is signed over it.
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny, 21 °C"}],
        },
    ]
    last = ask(streaming, **request)
    assert "sunny, 21 °C" in "".join(block.text for block in last.content if block.type == "text")

counted = client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "count me"}])
assert counted.input_tokens > 0
models = [model.id for model in client.models.list(limit=1000)]
assert MODEL in models, models

try:
    client.messages.create(model="claude-of-tomorrow", max_tokens=10, messages=[{"role": "user", "content": "x"}])
except anthropic.NotFoundError as error:
    assert error.request_id.startswith("req_"), error.request_id
    assert error.body["error"]["type"] == "not_found_error", error.body
else:
    raise AssertionError("an unknown model was served")
