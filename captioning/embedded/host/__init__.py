"""The embedded Functions host: runs `function_app.app` where Core Tools (`func`) are not installed.

`python -m captioning.embedded.host --port 7071` in the app's folder. A stand-in for development: it
has HTTP, blob, queue and timer triggers, the Event Grid webhook, and the real host's attempts and
poison queues. It has none of what development does without: keys, scaling, functionTimeout, retry
policies, output bindings, telemetry, and identity-based connections. It does not read
local.settings.json; the caller sets the environment. Unlike the real host it answers only a Host of
this machine, and refuses writes by pages of another origin (`web_host`).
"""
