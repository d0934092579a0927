"""The embedded Functions host: runs `function_app.app` where Core Tools (`func`) are not installed.

`python -m captioning.embedded.host --port 7071` in the app's folder. A stand-in for development: it
has HTTP, blob, queue and timer triggers, the Event Grid webhook, and the real host's batches,
attempts and poison queues, as they were recorded. What differs, and why:

- It has none of what development does without: keys, scaling, functionTimeout, retry policies,
  output bindings, telemetry, identity-based connections. It does not read local.settings.json; the
  caller sets the environment.
- It answers only a Host of this machine, and refuses writes by pages of another origin
  (`web_host`): no web page shall write into a developer's app.
- The messages of a host that was killed are visible again after 60 s (`--hidden`), not after 600:
  nobody wants to wait for that. A call that lasts is renewed after half of the time, in either.
- An empty queue is looked at every second, not up to every 60 s; `maxPollingInterval` is not read.
- A scan lists the whole container, on any endpoint, and takes at most a sixth of the time; the
  account's logs, which an emulator has not, are not read. No lock makes one of two hosts scan:
  both do, and a blob may be called twice.
- The receipts are rows of a table, one for each blob, and not blobs, one for each ETag: they are
  read once, so that a scan costs no more than its listing.
- A function that scans does not silence one with the Event Grid source in the same app; in the real
  host it does, where it is registered first, which no app can want.
- A blob function has a BlobClient and all blobs of a container; a name in its path (`{name}`) is
  not passed. So an event from another container is a call, as in the real host for such a function.
"""
