"""The embedded Functions host: runs `function_app.app` where Core Tools (`func`) is absent.

`python -m captioning.embedded.host --port 7071` in the app's folder. A stand-in for development:
HTTP, blob, queue and timer triggers, the Event Grid webhook, the real host's attempts and poison
queues. Left out, because development does without: keys, scaling, functionTimeout, retry policies,
output bindings, telemetry, identity-based connections; local.settings.json (the caller sets the
environment).
"""
