// Streams answers with Anthropic's TypeScript SDK until standard input ends, and prints a JSON line about each.
//
// The SDK tries again by itself what failed before an answer began. CCAG_TEST_THREADS requests run at a time.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CCAG_TEST_NODE_DIR}/`);
const { default: Anthropic } = require("@anthropic-ai/sdk");

const [model, prompt] = process.argv.slice(2);
const client = new Anthropic({ maxRetries: 15, timeout: 60_000 });
const say = (line) => console.log(JSON.stringify(line));
let over = false;

async function ask(content) {
  const started = Date.now();
  let began = false;
  try {
    const request = { model, max_tokens: 4096, stream: true, messages: [{ role: "user", content }] };
    const { data: events, response } = await client.messages.create(request).withResponse();
    began = true;
    let text = "";
    let whole = false;
    for await (const event of events) {
      if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text;
      whole ||= event.type === "message_stop";
    }
    if (!whole) throw new Error("the stream ended before the message");
    say({ outcome: "completed", request_id: response.headers.get("request-id"), text });
  } catch (error) {
    say({ outcome: began ? "broken" : "failed", started, ended: Date.now(), error: String(error) });
  }
}

async function work(number) {
  while (!over) {
    await ask(`TypeScript client ${number}: ${prompt}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

process.stdin.resume();
process.stdin.on("end", () => (over = true));
await Promise.all(Array.from({ length: Number(process.env.CCAG_TEST_THREADS) }, (_, n) => work(n)));
