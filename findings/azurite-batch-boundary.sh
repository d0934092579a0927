#!/usr/bin/env bash
# Azurite 3.37.0 (Table service): a valid transaction is answered by an empty 500 unless the boundary
# of its outer multipart begins with "batch_".
#
# RFC 2046 section 5.1.1 leaves the boundary to the sender: any 1 to 70 of its characters. Azurite
# looks for the text --batch_ in the body. So the same body is taken with boundary=batch_1 and
# refused with boundary=batch, batch-1 or b_1; nothing is stored then. The boundary of the inner
# multipart (the change set) does not matter.
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
import base64, hmac, http.client, sys, time
from email.utils import formatdate

PORT = int(sys.argv[1])
ACCOUNT = "devstoreaccount1"
# The emulator's published key: learn.microsoft.com/azure/storage/common/storage-connect-azurite
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def send(method, path, content_type, body=b""):
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
    connection.request(method, f"/{ACCOUNT}{path}", body, headers)
    response = connection.getresponse()
    return response.status, response.read()


def transact(batch, changes, row):
    """Inserts or replaces one entity in a transaction: status, body, and whether it is stored."""
    entity = f"/things(PartitionKey='p',RowKey='{row}')"
    body = (
        f"--{batch}\r\nContent-Type: multipart/mixed; boundary={changes}\r\n\r\n"
        f"--{changes}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"PUT http://127.0.0.1:{PORT}/{ACCOUNT}{entity} HTTP/1.1\r\n"
        "Content-Type: application/json\r\nAccept: application/json;odata=minimalmetadata\r\n"
        f'DataServiceVersion: 3.0\r\n\r\n{{"PartitionKey":"p","RowKey":"{row}"}}\r\n'
        f"--{changes}--\r\n--{batch}--\r\n"
    )
    status, answer = send("POST", "/$batch", f"multipart/mixed; boundary={batch}", body.encode())
    stored = send("GET", entity, "application/json")[0] == 200
    return status, answer, stored


for _ in range(200):
    try:
        made, _body = send("POST", "/Tables", "application/json", b'{"TableName":"things"}')
        break
    except OSError:
        time.sleep(0.1)
assert made == 201, made

CASES = [
    ("batch_1", "changeset_1", True),
    ("batch_1", "changes", True),
    ("batch", "changeset_1", False),
    ("batch", "changes", False),
    ("batch-1", "changeset_1", False),
    ("b_1", "changeset_1", False),
]
as_described = True
for number, (batch, changes, is_taken) in enumerate(CASES):
    status, answer, stored = transact(batch, changes, f"r{number}")
    print(f"boundary={batch:8} change set boundary={changes:12} {status} {len(answer):4} bytes"
          f" {'stored' if stored else 'not stored'}")
    expected = (202, True) if is_taken else (500, False)
    as_described &= (status, stored) == expected and (is_taken or not answer)
print("as described" if as_described else "CHANGED: not as described above")
sys.exit(not as_described)
PYTHON
