#!/usr/bin/env bash
# Azurite 3.37.0 (Table service): text of an entity is stored wrong, with 204 as the answer, if one of
# its characters arrives in two pieces.
#
# A body of UTF-8 comes in as many pieces as the network makes of it, and a character of two to four
# bytes may be cut by their border. Azurite decodes each piece by itself: such a character becomes
# U+FFFD, several of them. Text that is longer by that than a property may be is refused with 400
# PropertyValueTooLarge. Bodies of more than 64 KiB meet this without being cut on purpose. In
# transactions ($batch) the pieces are joined first, and nothing is spoiled; nor is JSON in ASCII.
#
# Needs npm, node and python3; installs Azurite into a temporary folder. Exits 1 if the behaviour is
# another one by now.
set -euo pipefail

folder=$(mktemp -d)
azurite=
trap '[ -z "$azurite" ] || kill "$azurite" 2>/dev/null || true; rm -rf "$folder"' EXIT

npm install --silent --no-audit --no-fund --prefix "$folder" azurite@3.37.0 >/dev/null
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$folder/node_modules/.bin/azurite-table" --silent --inMemoryPersistence --tablePort "$port" \
    --disableTelemetry >/dev/null &
azurite=$!

echo "azurite $(node -p "require('$folder/node_modules/azurite/package.json').version")"
python3 - "$port" <<'PYTHON'
import base64, hmac, http.client, json, sys, time
from email.utils import formatdate

PORT = int(sys.argv[1])
ACCOUNT = "devstoreaccount1"
# The emulator's published key: learn.microsoft.com/azure/storage/common/storage-connect-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def send(method, path, content_type, body=b"", cut=None):
    date = formatdate(usegmt=True)
    text = f"{method}\n\n{content_type}\n{date}\n/{ACCOUNT}/{ACCOUNT}{path}"
    digest = hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")
    headers = {
        "x-ms-date": date,
        "x-ms-version": "2019-02-02",
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
        "Content-Type": content_type,
        "Accept": "application/json;odata=nometadata",
        "DataServiceVersion": "3.0",
    }
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.putrequest(method, f"/{ACCOUNT}{path}")
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:cut])
    if cut:
        time.sleep(0.5)  # so that the rest is a piece of its own
        connection.send(body[cut:])
    response = connection.getresponse()
    return response.status, response.read()


for _ in range(200):
    try:
        made, _body = send("POST", "/Tables", "application/json", b'{"TableName":"things"}')
        break
    except OSError:
        time.sleep(0.1)
assert made == 201, made

TEXT = "caf\u00e9"


def stored(row, body, cut):
    """What is read of an entity's text after it was written in one piece or two."""
    key = f"/things(PartitionKey='p',RowKey='{row}')"
    status, _body = send("PUT", key, "application/json", body, cut)
    return status, json.loads(send("GET", key, "application/json")[1])["text"]


as_described = True
for row, in_ascii, is_cut, expected in [
    ("whole", False, False, TEXT),
    ("between", False, "before", TEXT),
    ("within", False, "within", "caf\ufffd\ufffd"),
    ("ascii", True, "within", TEXT),
]:
    entity = {"PartitionKey": "p", "RowKey": row, "text": TEXT}
    body = json.dumps(entity, ensure_ascii=in_ascii).encode()
    character = body.index(b"\\u00e9" if in_ascii else b"\xc3")
    cut = {False: None, "before": character, "within": character + 1}[is_cut]
    status, text = stored(row, body, cut)
    print(f"{'ASCII' if in_ascii else 'UTF-8'}, cut: {is_cut or 'no':7} {status} {ascii(text)}")
    as_described &= status == 204 and text == expected
print("as described" if as_described else "CHANGED: not as described above")
sys.exit(not as_described)
PYTHON
