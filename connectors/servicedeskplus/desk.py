# Tells Drawbridge at once that a request was changed. For ServiceDesk Plus as an installation of one's own; at the cloud
# set up a webhook instead, as docs/desks/servicedeskplus.md says.
#
# 1. Put this file, as drawbridge.py, into [SDP_HOME]/integration/custom_scripts/executor_files.
# 2. Beside it put drawbridge.secret, with at least 32 random characters, readable to the service's account alone
#    (or set the environment variable DRAWBRIDGE_SECRET for the service).
# 3. Beside it put drawbridge.txt, with the one line:  py drawbridge.py $COMPLETE_V3_JSON_FILE
# 4. Make a custom trigger for requests that are created, edited, approved, rejected or deleted, with the executor file
#    drawbridge.txt.
#
# It needs Python 3 and nothing else. A notice that is lost is made up for by Drawbridge, which asks for changed requests
# as well.
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.request

ADDRESS = "https://bridge.example.com/in/servicedeskplus"


def secret():
    text = os.environ.get("DRAWBRIDGE_SECRET", "")
    if not text:
        folder = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(folder, "drawbridge.secret"), encoding="utf-8") as file:
            text = file.read()
    return text.strip().encode("utf-8")


def tell(path):
    with open(path, encoding="utf-8") as file:
        request = json.load(file)["request"]
    # Ids are longer than other programs take a number to be exact.
    body = json.dumps({"request_id": str(request["id"])}).encode("utf-8")
    moment = str(int(time.time()))
    digest = hmac.new(secret(), moment.encode("ascii") + b"." + body, hashlib.sha256).hexdigest()
    call = urllib.request.Request(ADDRESS, data=body, method="POST", headers={
        "Content-Type": "application/json",
        "X-Drawbridge-Timestamp": moment,
        "X-Drawbridge-Signature": "sha256=" + digest,
    })
    with urllib.request.urlopen(call, timeout=3):
        pass


try:
    tell(sys.argv[1])
    print(json.dumps({"result": "success", "message": "Drawbridge was told"}))
except Exception as fault:  # the desk must go on whatever happens here
    print(json.dumps({"result": "failure", "message": "Drawbridge was not told: " + type(fault).__name__}))
