"""A mail server. Appends each mail that it takes to a file, as a line of JSON."""

import json
import ssl
import sys
import time
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller

port, path = int(sys.argv[1]), sys.argv[2]
certificate = sys.argv[3:]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": mail["subject"],
            "id": mail["message-id"],
            "body": mail.get_content(),
        }
        with open(path, "a") as file:
            file.write(json.dumps(line) + "\n")
        return "250 queued as 42"


context = None
if certificate:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
Controller(Handler(), hostname="127.0.0.1", port=port, tls_context=context).start()
while True:
    time.sleep(60)
