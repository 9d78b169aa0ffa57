// Talks to the gateway with Anthropic's TypeScript SDK and prints, one JSON line per answer, what the SDK saw.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CCAG_TEST_NODE_DIR}/`);
const { default: Anthropic } = require("@anthropic-ai/sdk");

const model = "claude-sonnet-4-6";
const tools = [
  {
    name: "get_weather",
    description: "The weather of a place",
    input_schema: {
      type: "object",
      properties: { query: { type: "string" }, days: { type: "integer", minimum: 1 } },
      required: ["query", "days"],
    },
  },
];
const client = new Anthropic({ maxRetries: 0 });
const textOf = (message) => message.content.filter((b) => b.type === "text").map((b) => b.text).join("");

async function ask(streaming, request) {
  let message;
  if (streaming) {
    let text = "";
    const stream = client.messages.stream(request).on("text", (delta) => (text += delta));
    message = await stream.finalMessage();
    assert.equal(text, textOf(message));
  } else {
    message = await client.messages.create(request);
  }
  console.log(JSON.stringify({ streaming, message }));
  return message;
}

for (const streaming of [false, true]) {
  await ask(streaming, { model, max_tokens: 1000, messages: [{ role: "user", content: "Zoë says 一二三 🙂" }] });
  const request = {
    model,
    max_tokens: 6000,
    tools,
    thinking: { type: "enabled", budget_tokens: 2000 },
    messages: [{ role: "user", content: "Use the get_weather tool for `Zürich ☀`" }],
  };
  const first = await ask(streaming, request);
  const call = first.content.find((block) => block.type === "tool_use");
  // The history goes back as it came: thinking is signed over it.
  request.messages.push(
    { role: "assistant", content: first.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id, content: "sunny, 21 °C" }] },
  );
  assert.match(textOf(await ask(streaming, request)), /sunny, 21 °C/);
}

const counted = await client.messages.countTokens({ model, messages: [{ role: "user", content: "count me" }] });
assert.ok(counted.input_tokens > 0);
const models = (await client.models.list({ limit: 1000 })).data.map((m) => m.id);
assert.ok(models.includes(model), models.join());
await assert.rejects(
  client.messages.create({ model: "claude-of-tomorrow", max_tokens: 10, messages: [{ role: "user", content: "x" }] }),
  (error) => error.status === 404 && error.error.error.type === "not_found_error",
);
