"""Words by which people say stop, or start again, in a message of their own. Pure.

A message means stop if its first line, but for case and punctuation, is one of these words and nothing else: whoever
writes "stop by tomorrow" wants something else.
"""

import re
import unicodedata
from typing import Literal

STOP = frozenset(
    {
        # English, as carriers know them
        "stop", "stopall", "stop all", "unsubscribe", "unsubscribe me", "cancel", "end", "quit", "revoke", "opt out",
        "optout", "remove me",
        # German, French, Spanish, Italian, Portuguese
        "stopp", "abmelden", "abbestellen", "arret", "arreter", "desabonner", "desinscrire", "baja", "alto", "parar",
        "cancelar", "annulla", "cancellami", "disiscrivimi", "sair",
        # Polish, Czech, Dutch, Swedish, Danish, Norwegian, Finnish
        "rezygnuje", "wypisz", "wypisz mnie", "koniec", "odhlasit", "zrusit", "afmelden", "uitschrijven", "avsluta",
        "avregistrera", "afmeld", "avmeld", "lopeta", "peruuta",
    }
)  # fmt: skip
START = frozenset(
    {
        "start", "unstop", "subscribe", "resubscribe", "opt in", "optin", "anmelden", "abonner", "alta", "iscrivimi",
        "zapisz", "zapisz mnie", "aanmelden",
    }
)  # fmt: skip
_NOT_LETTERS = re.compile(r"[\W_]+")
# Letters that no decomposition makes plain.
_PLAIN = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ß": "ss", "æ": "ae"})

Meaning = Literal["stop", "start"]


def meaning_of(text: str) -> tuple[Meaning | None, str | None]:
    """Return what a message means, if anything, and the word that says so."""
    line = next((line for line in text.splitlines() if line.strip()), "")[:100]
    folded = unicodedata.normalize("NFKD", line.casefold().translate(_PLAIN))
    bare = "".join(letter for letter in folded if not unicodedata.combining(letter))
    word = _NOT_LETTERS.sub(" ", bare).strip()
    if word in STOP:
        return "stop", word
    return ("start", word) if word in START else (None, None)
