"""A mail server. Appends each mail that it takes to a file, as a line of JSON.

With `starttls` or `tls`, an address, a certificate and its key it speaks TLS there, and takes mails only of `ccag`, whose
password is `hush`.
"""

import json
import ssl
import sys
import time
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

port, path = int(sys.argv[1]), sys.argv[2]
security, address, *certificate = sys.argv[3:] or ["none", "127.0.0.1"]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content, policy=policy.default)
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": mail["subject"],
            "id": mail["message-id"],
            "body": mail.get_content(),
            "tls": session.ssl is not None or security == "tls",
            "user": session.auth_data,
        }
        with open(path, "a") as file:
            file.write(json.dumps(line) + "\n")
        return "250 queued as 42"


def authenticate(server, session, envelope, mechanism, data):
    is_right = (data.login, data.password) == (b"ccag", b"hush")
    return AuthResult(success=is_right, handled=False, auth_data=data.login.decode())


settings = {}
if certificate:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    settings = {"authenticator": authenticate, "auth_required": True}
    if security == "tls":
        settings |= {"ssl_context": context, "auth_require_tls": False}
    else:
        settings |= {"tls_context": context, "require_starttls": True}
Controller(Handler(), hostname=address, port=port, **settings).start()
while True:
    time.sleep(60)
