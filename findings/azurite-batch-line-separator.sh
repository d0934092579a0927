#!/usr/bin/env bash
# Azurite 3.37.0 (Table service): a transaction is answered by an empty 500 if a text in it contains
# U+2028 or U+2029 (LINE and PARAGRAPH SEPARATOR), although JSON takes both unescaped.
#
# RFC 8259 section 7 asks for escapes of quotation mark, backslash and U+0000 to U+001F only. Azurite
# looks for the entity in each part by a regular expression that does not go beyond these two. The
# same entity is taken outside a transaction, or with the character written as \u2028. Nothing of the
# refused transaction is stored.
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


def entity(row, text):
    return f'{{"PartitionKey":"p","RowKey":"{row}","text":"{text}"}}'


def is_stored(row, text):
    """Whether the entity is there with the text as it was meant."""
    status, answer = send("GET", f"/things(PartitionKey='p',RowKey='{row}')", "application/json")
    return status == 200 and json.loads(answer)["text"] == json.loads(f'"{text}"')


def transact(row, text):
    """Inserts two entities in a transaction: status, size of the answer, whether they are stored."""
    rows = (f"{row}a", f"{row}b")
    parts = "".join(
        "--changeset_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        f"POST http://127.0.0.1:{PORT}/{ACCOUNT}/things HTTP/1.1\r\n"
        "Content-Type: application/json\r\nAccept: application/json;odata=minimalmetadata\r\n"
        f"Prefer: return-no-content\r\nDataServiceVersion: 3.0\r\n\r\n{entity(one, text)}\r\n"
        for one in rows
    )
    body = (
        "--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n"
        f"{parts}--changeset_1--\r\n--batch_1--\r\n"
    )
    status, answer = send("POST", "/$batch", "multipart/mixed; boundary=batch_1", body.encode())
    return status, len(answer), all(is_stored(one, text) for one in rows)


def insert(row, text):
    """Inserts one entity by itself."""
    status, answer = send("POST", "/things", "application/json", entity(row, text).encode())
    return status, len(answer), is_stored(row, text)


for _ in range(200):
    try:
        made, _body = send("POST", "/Tables", "application/json", b'{"TableName":"things"}')
        break
    except OSError:
        time.sleep(0.1)
assert made == 201, made

CASES = [
    ("transaction", transact, "a b", 202),
    ("transaction", transact, "a\\u2028b", 202),
    ("transaction", transact, "a\u2028b", 500),
    ("transaction", transact, "a\u2029b", 500),
    ("one entity", insert, "a\u2028b", 201),
]
as_described = True
for number, (name, write, text, expected) in enumerate(CASES):
    status, size, stored = write(f"r{number}", text)
    print(f"{name:12} {ascii(text):14} {status} {size:4} bytes {'stored' if stored else 'not stored'}")
    as_described &= status == expected and stored == (status < 300) and (stored or not size)
print("as described" if as_described else "CHANGED: not as described above")
sys.exit(not as_described)
PYTHON
