"""Every setting: its name, default, meaning and an example for Azure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings; `example` is a value for Azure."""

    name: str
    default: str
    help: str
    example: str = ""


SETTINGS = (
    Setting(
        "ImageStorage",
        "",
        "Connection string of the account with images, tables and queues. In Azure, leave it unset "
        "and set the service addresses below; the app then uses its identity.",
    ),
    Setting(
        "ImageStorage__blobServiceUri",
        "",
        "Blob service of the account, where an identity is used and no connection string.",
        "https://YOUR-ACCOUNT.blob.core.windows.net",
    ),
    Setting(
        "ImageStorage__queueServiceUri",
        "",
        "Queue service; the blob trigger needs it.",
        "https://YOUR-ACCOUNT.queue.core.windows.net",
    ),
    Setting(
        "ImageStorage__tableServiceUri",
        "",
        "Table service; it stores the records.",
        "https://YOUR-ACCOUNT.table.core.windows.net",
    ),
    Setting(
        "ImageStorage__credential",
        "",
        "`managedidentity` in Azure; leave it unset on a laptop, which uses `az login`.",
        "managedidentity",
    ),
    Setting(
        "ImageStorage__clientId",
        "",
        "Client id of a user-assigned identity, which is used for Vision and the model, too.",
        "00000000-0000-0000-0000-000000000000",
    ),
    Setting(
        "IMAGES_CONTAINER",
        "images",
        "Container of the images, 3 to 52 characters; the containers of thumbnails and backups are "
        "named after it.",
        "images",
    ),
    Setting(
        "CAPTIONS_TABLE",
        "captions",
        "Table of the records, 3 to 39 letters and digits; the names of other tables and queues "
        "are derived from it.",
        "captions",
    ),
    Setting(
        "BLOB_TRIGGER_SOURCE",
        "EventGrid",
        "`EventGrid`, or `LogsAndContainerScan` (polling) where there is no Event Grid.",
        "EventGrid",
    ),
    Setting(
        "MAX_IMAGE_BYTES",
        "52428800",
        "Larger blobs are rejected without being read.",
        "52428800",
    ),
    Setting(
        "DECODE_MEMORY_MIB",
        "",
        "Memory that decoding one image may take, 128 to 16384 MiB; images that need more are "
        "rejected. Empty: a quarter of the instance's, and at least 256.",
    ),
    Setting(
        "DECODE_SECONDS",
        "20",
        "How long decoding one image may take: 1 to 60. Four times as much must fit into "
        "CLAIM_SECONDS.",
        "20",
    ),
    Setting(
        "IGNORE_FILES",
        "*.xmp,*.aae,*.thm,*.json,*.txt,*.md,*.csv,*.mp4,*.mov,*.m4v,*.avi,*.mkv,*.mpg,*.3gp,*.zip,"
        "*.rar,*.7z,*.tar,*.gz",
        "Files that get no record: sidecars, text, videos, archives. Comma-separated patterns of "
        "file names, without regard to case. Given but empty: every file gets a record, which says "
        "why it is rejected. Files of operating systems, such as `.DS_Store`, never get one.",
    ),
    Setting(
        "VISION_PROVIDER",
        "azure",
        "`azure`, `embedded` (small local models, for trying the app) or `none`.",
        "azure",
    ),
    Setting(
        "VISION_ENDPOINT",
        "",
        "Azure AI Vision resource with a custom subdomain; required for `azure`.",
        "https://YOUR-VISION.cognitiveservices.azure.com",
    ),
    Setting("VISION_KEY", "", "Key of that resource. Unset: a Microsoft Entra token is used."),
    Setting("VISION_API", "4.0", "`4.0` or `3.2`.", "4.0"),
    Setting(
        "VISION_FEATURES",
        "tags,objects,read",
        "Also `caption`, `denseCaptions`, `people` (4.0) and `brands`, `description`, `adult` "
        "(3.2; with API 4.0 they take one additional 3.2 call). "
        "`embedded` has `tags` and `read`.",
        "tags,objects,read",
    ),
    Setting(
        "VISION_MIN_CONFIDENCE",
        "0.6",
        "Tags and objects with a lower confidence are left out.",
        "0.6",
    ),
    Setting(
        "CAPTION_PROVIDER",
        "azure",
        "`azure`, `openai` (any OpenAI-compatible server: Ollama, LM Studio, Foundry Local) or "
        "`embedded` (a sentence made from the tags, for trying the app).",
        "azure",
    ),
    Setting(
        "AZURE_OPENAI_ENDPOINT",
        "",
        "Azure OpenAI or Foundry resource; required for `azure`. The v1 API is used.",
        "https://YOUR-MODELS.openai.azure.com",
    ),
    Setting(
        "AZURE_OPENAI_API_KEY", "", "Key of that resource. Unset: a Microsoft Entra token is used."
    ),
    Setting(
        "OPENAI_BASE_URL",
        "",
        "Address of the OpenAI-compatible server, including `/v1`; required for `openai`.",
    ),
    Setting("OPENAI_API_KEY", "", "Key of that server, where it requires one."),
    Setting("CAPTION_MODEL", "gpt-4o-mini", "Name of the model's deployment.", "gpt-4o-mini"),
    Setting(
        "CAPTION_INPUT",
        "image+tags",
        "What the model sees. `image+tags`: the picture and Vision's evidence; `image`: the "
        "picture alone, with both services called at the same time; `tags`: the evidence alone.",
        "image+tags",
    ),
    Setting("CAPTION_LANGUAGES", "en", "Comma-separated; the first is the main one.", "en"),
    Setting("CAPTION_DETAIL", "low", "Image detail for the model: `low`, `high` or `auto`.", "low"),
    Setting(
        "CAPTION_MAX_TOKENS",
        "1000",
        "Output tokens of one answer at most; reasoning models need several thousand.",
        "1000",
    ),
    Setting(
        "CAPTION_REASONING",
        "lowest",
        "How much a model that can reason does so before it answers, which is billed as output: "
        "`lowest` (the least that it allows), `low`, `medium`, `high`, or `default` to leave it to "
        "the service.",
        "lowest",
    ),
    Setting("CAPTION_PROMPT_FILE", "", "A text file to use instead of the built-in instructions."),
    Setting(
        "TAG_VOCABULARY_FILE",
        "",
        "A text file of tags with their aliases and a stop list, which limits the tags in use. "
        "Empty: tags are kept as Vision names them.",
    ),
    Setting(
        "SUPPORT_THRESHOLD",
        "0.7",
        "Captions with a lower support by Vision's evidence are marked for review. 0: none.",
        "0.7",
    ),
    Setting("VISION_TIMEOUT_SECONDS", "30", "How long Vision may take to answer: 1 to 30.", "30"),
    Setting(
        "CAPTION_TIMEOUT_SECONDS",
        "60",
        "How long the model may take to answer: 1 to 120. A local model on a CPU needs more.",
        "60",
    ),
    Setting(
        "CLAIM_SECONDS",
        "120",
        "How long a killed run keeps its claim on an image: 5 to 3600. Each timeout plus 5 seconds "
        "to connect must fit into 75 % of it.",
        "120",
    ),
    Setting(
        "BURST_SECONDS",
        "60",
        "Near-identical images that are uploaded to one folder within this time, up to 3600, share "
        "one caption. 0: each image has its own.",
        "60",
    ),
    Setting(
        "FORGET_AFTER_HOURS",
        "24",
        "How long an image must be missing, 1 to 8760 hours, before `reconcile` removes its "
        "record. Deletions that an event reports are not waited for.",
        "24",
    ),
    Setting(
        "BACKUP_DAYS",
        "30",
        "How long the nightly backups of all records are kept, up to 3650 days. 0: no backups.",
        "30",
    ),
    Setting(
        "RECAPTIONS_PER_HOUR",
        "100",
        "How many images, 0 to 2500, `POST /api/recaption` may have captioned again in an hour at "
        "a charge. `reprocess` is not limited by it.",
        "100",
    ),
    Setting(
        "DAILY_BUDGET_USD",
        "",
        "US dollars that all workers together may spend in a day (UTC), such as 5 or 0.50; once "
        "they are spent, images wait. Empty: no limit.",
    ),
    Setting("MONTHLY_BUDGET_USD", "", "The same for a calendar month (UTC)."),
    Setting(
        "PRICES_FILE",
        "",
        "A price list in the format of `captioning/budget/prices.json`, which replaces it.",
    ),
    Setting(
        "NOTIFY_URL",
        "",
        "Address of the webhook, which gets every record with a final status: https, or http on "
        "this machine. Empty: no notifications are sent.",
    ),
    Setting(
        "NOTIFY_KEY",
        "",
        "Key that signs the notifications, `whsec_` and base64; required with `NOTIFY_URL`. While "
        "the receiver changes its key, give several with spaces between them.",
    ),
)
"""In the order of the documentation."""
