"""The other ends of all channels in one server: each request is judged by the rules of its service, and by other people's code
where there is some: standardwebhooks for signed webhooks, botocore for AWS signatures.

Prints its port. Answers as planned by PUT /plan (a JSON list of statuses, or "hang" or "reset"; then well).
GET /received gives what came: kind, id (the same for every try), and what is wrong with it.
"""

import json
import re
import socket
import struct
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from standardwebhooks import Webhook

SECRET, ACCESS_KEY, SECRET_KEY, TOKEN = sys.argv[1:5]
LOCK = threading.Lock()
PLAN, RECEIVED = [], []


def webhook(handler, body):
    Webhook(SECRET).verify(body, {name.lower(): value for name, value in handler.headers.items()})
    message = json.loads(body)
    expected = {"text", "advice", "job_id", "user_id", "error", "kind", "severity", "occurred_at", "count"}
    assert set(message) == expected, message.keys()
    return handler.headers["webhook-id"]


def slack(handler, body):
    message = json.loads(body)
    assert len(message["text"]) <= 40000 and 0 < len(message["blocks"]) <= 50
    for block in message["blocks"]:
        assert block["type"] in ("section", "context"), block
        texts = [block["text"]] if block["type"] == "section" else block["elements"]
        assert 0 < len(texts) <= 10
        for text in texts:
            assert text["type"] == "mrkdwn" and 0 < len(text["text"]) <= 3000, text
            assert "<" not in text["text"] and ">" not in text["text"], text
            assert not re.search(r"&(?!amp;|lt;|gt;)", text["text"]), text
    return body.decode()


def pagerduty(handler, body):
    event = json.loads(body)
    assert event["event_action"] in ("trigger", "resolve") and 0 < len(event["dedup_key"]) <= 255
    assert event["routing_key"] and len(body) < 512 * 1024
    if event["event_action"] == "trigger":
        payload = event["payload"]
        assert 0 < len(payload["summary"]) <= 1024 and payload["source"]
        assert payload["severity"] in ("critical", "error", "warning", "info")
    return event["dedup_key"] + event["event_action"]


def sns(handler, body):
    check_signature(handler, body, "sns")
    fields = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
    assert fields["Action"] == "Publish" and fields["Message"] and len(fields["Subject"]) <= 100
    return fields["MessageAttributes.entry.4.Value.StringValue"]


def ses(handler, body):
    check_signature(handler, body, "ses")
    mail = json.loads(body)
    assert mail["Content"]["Simple"]["Subject"]["Data"] and mail["Destination"]["ToAddresses"]
    return re.search(r"Message: (msg_\S+)", mail["Content"]["Simple"]["Body"]["Text"]["Data"]).group(1)


def check_signature(handler, body, service):
    """Signs what has come with botocore, and compares."""
    given = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
        r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
        handler.headers["Authorization"],
    )
    key, _, region, signed_service, names, signature = given.groups()
    names = names.split(";")
    assert (key, signed_service) == (ACCESS_KEY, service), (key, signed_service)
    assert {"host", "content-type", "x-amz-date", "x-amz-security-token"} <= set(names), names
    assert handler.headers["X-Amz-Security-Token"] == TOKEN
    assert "Expect" not in handler.headers
    request = AWSRequest(
        handler.command,
        "http://" + handler.headers["Host"] + handler.path,
        headers={name: handler.headers[name] for name in names},
        data=body,
    )
    request.context["timestamp"] = handler.headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), service, region)
    canonical = auth.canonical_request(request)
    expected = auth.signature(auth.string_to_sign(request, canonical), request)
    assert expected == signature, f"{signature} is not {expected}, of:\n{canonical}"


def judge(path):
    if path == "/webhook":
        return "webhook", webhook, (200, b"ok")
    if path.startswith("/services/"):
        return "slack", slack, (200, b"ok")
    if path == "/v2/enqueue":
        return "pagerduty", pagerduty, (202, b'{"status":"success"}')
    if path == "/v2/email/outbound-emails":
        return "email", ses, (200, b'{"MessageId":"1"}')
    return "sns", sns, (200, b"<PublishResponse/>")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_PUT(self):
        with LOCK:
            PLAN[:] = json.loads(self.body())
            RECEIVED.clear()
        self.answer(204)

    def do_GET(self):
        with LOCK:
            body = json.dumps(RECEIVED).encode()
        self.answer(200, body)

    def do_POST(self):
        body = self.body()
        kind, check, well = judge(self.path)
        entry = {"kind": kind, "id": None, "fault": None}
        try:
            entry["id"] = check(self, body)
        except Exception as error:
            entry["fault"] = f"{type(error).__name__}: {error}"
        with LOCK:
            RECEIVED.append(entry)
            step = PLAN.pop(0) if PLAN else None
        if entry["fault"]:
            self.answer(400, entry["fault"].encode())
        elif step == "hang":
            threading.Event().wait(2)
            self.close_connection = True
        elif step == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # The file objects hold the socket open.
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RD)
            self.connection.close()
        elif step == 429:
            self.answer(429, headers=[("Retry-After", "1")])
        elif step:
            self.answer(step)
        else:
            self.answer(*well)


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"port {server.server_port}", flush=True)
server.serve_forever()
