"""Streams answers with Anthropic's Python SDK until standard input ends, and prints a JSON line about each.

The SDK tries again by itself what failed before an answer began. CCAG_TEST_THREADS requests run at a time.
"""

import json
import os
import sys
import threading
import time

import anthropic

MODEL, PROMPT = sys.argv[1], sys.argv[2]
client = anthropic.Anthropic(max_retries=15, timeout=60)
over = threading.Event()


def say(**line):
    # One write for a line: several threads print.
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def ask(prompt):
    started = int(time.time() * 1000)
    request_id, began = None, False
    try:
        with client.messages.stream(
            model=MODEL, max_tokens=4096, messages=[{"role": "user", "content": prompt}]
        ) as stream:
            began = True
            request_id = stream.response.headers["request-id"]
            kinds = [event.type for event in stream]
            if "message_stop" not in kinds:
                raise RuntimeError("the stream ended before the message")
            text = "".join(block.text for block in stream.get_final_message().content)
        say(outcome="completed", request_id=request_id, text=text)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        say(
            outcome="broken" if began else "failed",
            started=started,
            ended=int(time.time() * 1000),
            error=repr(error),
        )


def work(number):
    while not over.is_set():
        ask(f"Python client {number}: {PROMPT}")
        time.sleep(0.05)


workers = [threading.Thread(target=work, args=(n,)) for n in range(int(os.environ["CCAG_TEST_THREADS"]))]
for worker in workers:
    worker.start()
sys.stdin.read()
over.set()
for worker in workers:
    worker.join()
