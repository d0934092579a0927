"""OpenAICaptioner: captions from a chat completions service. The only home of `openai`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import httpx2
import openai

from captioning.addresses import check_address, fits_a_header, is_loopback
from captioning.captioner.answer import Answer, read_answer
from captioning.captioner.completion import Completion, read_completion
from captioning.captioner.prompt import BUILT_IN, NOT_JSON, Prompt
from captioning.captioner.refusals import ENDPOINT, KEY, Provider, Refusal
from captioning.captioner.request import (
    Detail,
    Dialect,
    Form,
    Messages,
    Reasoning,
    first_effort,
    reminder,
)
from captioning.domain.record import Captioning, ImageAnalysis
from captioning.errors import (
    AuthRefused,
    BadResponse,
    CaptioningError,
    ContentFiltered,
    ServiceTimeout,
    ServiceUnavailable,
)
from captioning.images.rendition import Rendition
from captioning.resilience.calls import PLAIN, Calls
from captioning.telemetry import ChatSpan, chat

MAX_TOKENS = 3_000
"""Room for models that reason: the cap counts against the quota, but is not billed."""
_TRANSPORT_ERRORS = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    OSError,
)


class OpenAICaptioner:
    """Calls one model; safe to share between threads. With an empty key, none is sent (for a local
    server). `reasons` is whether the model reasons unless told not to; None: not known.
    `http_client` is closed with the captioner."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str | Callable[[], str],
        model: str,
        languages: tuple[str, ...],
        provider: Provider = "azure",
        prompt: Prompt = BUILT_IN,
        detail: Detail = "low",
        max_completion_tokens: int = MAX_TOKENS,
        reasoning: Reasoning = "lowest",
        reasons: bool | None = False,
        connect_timeout: float = 5.0,
        read_timeout: float = 60.0,
        http_client: httpx2.Client | None = None,
    ) -> None:
        address = check_address(base_url, ENDPOINT[provider], has_key=bool(api_key))
        if isinstance(api_key, str) and api_key and not fits_a_header(api_key):
            raise ValueError(f"{KEY[provider]} has characters that no key has")
        if not languages:
            raise ValueError("CAPTION_LANGUAGES names no language")
        self._form = Form(model, languages, prompt, detail, max_completion_tokens)
        self._provider: Provider = provider
        self._key = api_key
        self._reasoning = reasoning
        self._dialect = Dialect(effort=first_effort(reasoning, reasons=reasons))
        timeout = openai.Timeout(read_timeout, connect=connect_timeout)
        # A redirect would send picture and key elsewhere, and loopback needs no proxy.
        http = http_client or openai.DefaultHttpxClient(
            timeout=timeout, follow_redirects=False, trust_env=not is_loopback(address.hostname)
        )
        self._client = _Client(base_url, timeout, http)
        self._server = base_url

    @property
    def identity(self) -> str:
        """Provider, model, detail, token limit, languages, a hash of all that is sent, and how much
        the model reasons where that is not as little as it can."""
        reasoning = "" if self._reasoning == "lowest" else f" reasoning {self._reasoning}"
        return f"{self._provider} {self._form.identity}{reasoning}"

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def caption(
        self, image: Rendition | None, evidence: ImageAnalysis | None, calls: Calls = PLAIN
    ) -> Captioning:
        """Texts for the picture. A faulty answer is requested once more, then repaired; each answer
        is billed as soon as it is there. ValueError without image and evidence."""
        if image is None and evidence is None:
            raise ValueError("neither an image nor evidence to caption")
        asked = self._form.question(image, evidence)
        with chat(provider=self._provider, model=self._form.model, server=self._server) as current:
            return self._texts(asked, evidence, calls, current)

    def _texts(
        self, asked: Messages, evidence: ImageAnalysis | None, calls: Calls, current: ChatSpan
    ) -> Captioning:
        first = self._ask(asked, calls, current)
        answer = read_answer(first.text, self._form.languages)
        if first.is_cut and not (answer and answer.usable):
            # Asked again it would be cut again.
            raise _cut_off(self._form.max_tokens)
        faults = answer.faults(evidence) if answer else (NOT_JSON,)
        if answer and not faults:
            return self._captioning(answer, evidence, first)
        try:
            second = self._ask(asked + reminder(first.text, faults), calls, current)
        except CaptioningError:
            if answer and answer.usable:
                return self._captioning(answer, evidence, first)
            raise
        later = read_answer(second.text, self._form.languages)
        for candidate, other in ((later, answer), (answer, later)):
            if candidate and candidate.usable:
                return self._captioning(candidate.with_rest_of(other), evidence, second)
        raise _no_caption(later or answer)

    def _captioning(
        self, answer: Answer, evidence: ImageAnalysis | None, completion: Completion
    ) -> Captioning:
        return Captioning(
            model=completion.model_name(self._form.model),
            texts=answer.repaired(),
            note=answer.note(evidence),
            decorative=answer.decorative,
        )

    def _ask(self, conversation: Messages, calls: Calls, current: ChatSpan) -> Completion:
        """One answer, in the richest dialect that the server has not refused yet."""
        dialect = self._dialect
        while True:
            outcome = calls.ask(partial(self._answer, conversation, dialect))
            if isinstance(outcome, Completion):
                self._dialect = dialect
                bill = outcome.bill(self._form.model)
                calls.billed(bill)
                current.billed(bill)
                outcome.raise_for_refusal()
                return outcome
            dialect = outcome

    def _answer(self, conversation: Messages, dialect: Dialect) -> Completion | Dialect:
        """The completion, or the simpler dialect to request it in."""
        outcome = self._send(conversation, dialect)
        if isinstance(outcome, Completion):
            return outcome
        simpler = outcome.simpler(dialect)
        if simpler is None:
            raise outcome.error(self._provider, self._form.model)
        return simpler

    def _send(self, conversation: Messages, dialect: Dialect) -> Completion | Refusal:
        """One call. What `openai` raises may quote the service's text, so it is not chained.

        `completions.create` would search the body for names to convert, which takes as long as all
        the rest, and would read the answer into models that are not used.
        """
        body = self._form.body(conversation, dialect)
        options: openai.RequestOptions = {"headers": {"Authorization": self._authorization()}}
        try:
            answered = self._client.post(
                "/chat/completions", cast_to=httpx2.Response, body=body, options=options
            ).content
        except openai.APIStatusError as error:
            return Refusal.of(error.status_code, error.body, error.response.headers)
        except openai.APITimeoutError:
            raise ServiceTimeout("The caption service did not answer in time.") from None
        except _TRANSPORT_ERRORS as error:
            kind = type(error.__cause__ or error).__name__
            message = f"The caption service could not be reached ({kind})."
            raise ServiceUnavailable(message) from None
        return read_completion(answered)

    def _authorization(self) -> str | openai.Omit:
        """The header of a call. The token provider is called each time; what it raises passes
        through."""
        if not self._key:
            return openai.omit
        key = self._key() if callable(self._key) else self._key
        if not fits_a_header(key):
            raise AuthRefused("The app's identity got no usable token for the caption model.")
        return f"Bearer {key}"


def _cut_off(limit: int) -> BadResponse:
    return BadResponse(
        f"The caption did not fit into {limit} output tokens, of which a reasoning model spends "
        "some unseen. Raise CAPTION_MAX_TOKENS, or use a CAPTION_MODEL that reasons less."
    )


def _no_caption(answer: Answer | None) -> CaptioningError:
    """The error of an answer that holds no caption after it was asked for twice."""
    refusing = answer.refusing() if answer else None
    if refusing == "declines":
        return ContentFiltered("The caption model declines to describe this picture.")
    if refusing == "sees_nothing":
        return BadResponse(
            "The caption model says that it sees no picture: check that CAPTION_MODEL takes images "
            "and that the server in front of it passes them on."
        )
    return BadResponse("The caption model gave no caption in the requested form, twice.")


class _Client(openai.OpenAI):
    """The openai client without retries of its own, and without the key, organisation, project and
    headers that it would take from OPENAI_ variables."""

    def __init__(self, base_url: str, timeout: openai.Timeout, http: httpx2.Client) -> None:
        super().__init__(
            base_url=base_url,
            api_key="sent with each call",
            admin_api_key="",
            webhook_secret="",
            timeout=timeout,
            max_retries=0,
            http_client=http,
        )
        self.organization = self.project = None
        self._custom_headers = {}
