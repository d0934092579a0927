"""Every setting: its name, default, meaning, and what one fills in for Azure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table of settings; `example` is what one fills in for Azure."""

    name: str
    default: str
    help: str
    example: str = ""


SETTINGS = (
    Setting(
        "ImageStorage",
        "",
        "Connection string of the account with images, tables and queues. In Azure leave it unset "
        "and give the service addresses below: the app's identity is used then.",
    ),
    Setting(
        "ImageStorage__blobServiceUri",
        "",
        "Blob service of the account, with an identity instead of a connection string.",
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
        "Table service; the records live there.",
        "https://YOUR-ACCOUNT.table.core.windows.net",
    ),
    Setting(
        "ImageStorage__credential",
        "",
        "`managedidentity` in Azure; leave it unset on a laptop, where `az login` serves.",
        "managedidentity",
    ),
    Setting(
        "ImageStorage__clientId",
        "",
        "Client id of a user-assigned identity. It serves Vision and the model too.",
        "00000000-0000-0000-0000-000000000000",
    ),
    Setting(
        "IMAGES_CONTAINER",
        "images",
        "Container whose images are captioned, 3 to 52 characters; that of the thumbnails is "
        "named after it.",
        "images",
    ),
    Setting(
        "CAPTIONS_TABLE",
        "captions",
        "Table of the records, 3 to 39 letters and digits; other tables and queues derive their "
        "names from it.",
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
        "VISION_PROVIDER",
        "azure",
        "`azure`, `embedded` (small local models, for trying things out) or `none`.",
        "azure",
    ),
    Setting(
        "VISION_ENDPOINT",
        "",
        "Azure AI Vision resource with a custom subdomain; required for `azure`.",
        "https://YOUR-VISION.cognitiveservices.azure.com",
    ),
    Setting("VISION_KEY", "", "Key of that resource; unset: a Microsoft Entra token."),
    Setting("VISION_API", "4.0", "`4.0` or `3.2`.", "4.0"),
    Setting(
        "VISION_FEATURES",
        "tags,objects,read",
        "Also `caption`, `denseCaptions`, `people` (4.0) and `brands`, `description`, `adult` "
        "(3.2; with 4.0 they are asked in one 3.2 call beside it). "
        "`embedded` has `tags` and `read`.",
        "tags,objects,read",
    ),
    Setting("VISION_MIN_CONFIDENCE", "0.6", "Tags and objects below it are left out.", "0.6"),
    Setting(
        "CAPTION_PROVIDER",
        "azure",
        "`azure`, `openai` (any OpenAI-compatible server: Ollama, LM Studio, Foundry Local) or "
        "`embedded` (a sentence made from the tags, for trying things out).",
        "azure",
    ),
    Setting(
        "AZURE_OPENAI_ENDPOINT",
        "",
        "Azure OpenAI or Foundry resource; required for `azure`. The v1 API is used.",
        "https://YOUR-MODELS.openai.azure.com",
    ),
    Setting("AZURE_OPENAI_API_KEY", "", "Key of that resource; unset: a Microsoft Entra token."),
    Setting(
        "OPENAI_BASE_URL",
        "",
        "Address of the OpenAI-compatible server, with its `/v1`; required for `openai`.",
    ),
    Setting("OPENAI_API_KEY", "", "Key of that server, where it wants one."),
    Setting("CAPTION_MODEL", "gpt-4o-mini", "Name of the model's deployment.", "gpt-4o-mini"),
    Setting(
        "CAPTION_INPUT",
        "image+tags",
        "`image+tags`: picture and Vision's evidence; `image`: the picture alone, both services at "
        "the same time; `tags`: the evidence alone.",
        "image+tags",
    ),
    Setting("CAPTION_LANGUAGES", "en", "Comma-separated; the first is the main one.", "en"),
    Setting("CAPTION_DETAIL", "low", "Image detail for the model: `low`, `high` or `auto`.", "low"),
    Setting(
        "CAPTION_MAX_TOKENS",
        "1000",
        "Most output tokens of one answer; reasoning models need several thousand.",
        "1000",
    ),
    Setting("CAPTION_PROMPT_FILE", "", "A text file to use instead of the built-in instructions."),
    Setting(
        "TAG_VOCABULARY_FILE",
        "",
        "A text file of tags with their aliases and a stop list, for tags that do not sprawl. "
        "Empty: tags as they come.",
    ),
    Setting(
        "SUPPORT_THRESHOLD",
        "0.7",
        "Captions that Vision's evidence supports less are for `review`: see captions.md. 0: none.",
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
        "How long an image stays taken by a run that was killed: 5 to 3600, and more than either "
        "timeout plus 5 to connect.",
        "120",
    ),
    Setting(
        "BURST_SECONDS",
        "60",
        "Near-identical frames that are uploaded to one folder within so many seconds, up to 3600, "
        "share one caption; 0: each has its own.",
        "60",
    ),
    Setting(
        "DAILY_BUDGET_USD",
        "",
        "Dollars that all workers together may spend in a day (UTC), such as 5 or 0.50; images "
        "wait when they are spent. Empty: no limit.",
    ),
    Setting("MONTHLY_BUDGET_USD", "", "The same for a calendar month (UTC)."),
    Setting(
        "PRICES_FILE",
        "",
        "A price list in the form of `captioning/budget/prices.json`, to use in its place.",
    ),
    Setting(
        "NOTIFY_URL",
        "",
        "Address that gets every record that is final: https, or http on this machine. Empty: "
        "nobody is told.",
    ),
    Setting(
        "NOTIFY_KEY",
        "",
        "Key that signs what goes there, `whsec_` and base64; required with `NOTIFY_URL`. Several, "
        "with spaces between them, while a receiver changes its key.",
    ),
)
"""In the order of the documentation."""
