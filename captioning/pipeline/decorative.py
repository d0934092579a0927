"""A decorative verdict, held against what Vision found: a picture that carries no information holds
no text, nobody, and nothing that has a name."""

from __future__ import annotations

from captioning.captioner.rules import has_words
from captioning.domain.record import Captioning, CaptionRecord, ImageAnalysis


def doubt(
    record: CaptionRecord, captioning: Captioning, analysis: ImageAnalysis | None
) -> str | None:
    """Why a person should look at the verdict; None where nothing speaks against it, or where a
    person has given it."""
    by_a_person = "decorative" in record.provenance.edited_by_human
    if not captioning.decorative or by_a_person or analysis is None:
        return None
    people = analysis.people or any(found.name == "person" for found in analysis.objects)
    found = {
        "text": any(has_words(line.text) for line in analysis.text),
        "people": bool(people),
        "objects": any(found.name != "person" for found in analysis.objects),
        "brands": bool(analysis.brands),
    }
    named = [name for name, is_there in found.items() if is_there]
    if not named:
        return None
    return f"Called decorative, although there is more in it: {', '.join(named)}."
