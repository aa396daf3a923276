"""Amazon's services as moto knows them: a topic, and a mail identity that may send.

Prints the port and the topic; for each line on stdin, what the services hold by then.
"""

import json
import socket
import sys

import boto3
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

REGION = "eu-central-1"

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
server.start()
access = {
    "region_name": REGION,
    "endpoint_url": f"http://127.0.0.1:{port}",
    "aws_access_key_id": "x",
    "aws_secret_access_key": "y",
}
topic = boto3.client("sns", **access).create_topic(Name="alerts")["TopicArn"]
boto3.client("sesv2", **access).create_email_identity(EmailIdentity="sync@example.org")
print(f"port {port}\ntopic {topic}", flush=True)
for _ in sys.stdin:
    sns = get_backend("sns")[DEFAULT_ACCOUNT_ID][REGION].topics[topic].sent_notifications
    ses = get_backend("ses")[DEFAULT_ACCOUNT_ID][REGION].sent_messages
    held = {
        # id, message, subject, attributes, group
        "sns": [{"message": note[1], "subject": note[2], "attributes": note[3]} for note in sns],
        "ses": [{"to": mail.destinations["ToAddresses"], "subject": mail.subject, "body": mail.body} for mail in ses],
    }
    print("held " + json.dumps(held), flush=True)
