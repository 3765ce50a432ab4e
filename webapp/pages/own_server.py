"""A server of one's own, as a person connects it: the address and key that were typed, and words for what went wrong.

Which addresses are taken is in llm/addresses.py; the card is drawn and its states are kept by pages/providers.py.
"""

from __future__ import annotations

import re

from webapp.llm.addresses import Host, judge
from webapp.llm.errors import SAYS_OF_CODE, Fault, Kind, Words

KEY = re.compile(r"[\x21-\x7e]{8,512}")  # a shorter one could not be kept out of what the server says
NOT_A_KEY = "A key is 8 to 512 letters, digits and signs without spaces. Leave it empty if the server wants none."

_ENDPOINTS = ("/chat/completions", "/completions", "/responses", "/models")
_USUAL_PATH = "/v1"  # where Ollama, vLLM, LM Studio, llama.cpp and LiteLLM all have it


def base_url(typed: str, named: frozenset[Host]) -> str:
    """The base URL in a typed address: of an endpoint, what stands before it; of a bare host, the usual place.

    Raises AddressRefused.
    """
    url = judge(typed, named).url
    whole = next((url.removesuffix(end) for end in _ENDPOINTS if url.endswith(end)), url)
    return whole if "/" in whole.partition("://")[2] else whole + _USUAL_PATH


def explain_own(fault: Fault, *, with_key: bool) -> Words | None:
    """Words that only make sense for a server that the person runs; None where the usual ones do."""
    if fault.code in SAYS_OF_CODE:
        return None
    if fault.kind is Kind.INVALID_KEY and not with_key:
        return Words("This server wants a key", "Type the one that it was started with.")
    return _OF_CODE.get((fault.kind, fault.code)) or _OF_KIND.get(fault.kind)


_NOT_COMPATIBLE = Words(
    "This is not an OpenAI-compatible server",
    "Something answered, but not as one. Check the address: the base URL ends in /v1 for most.",
)
_NOBODY = Words(
    "Nobody answers at this address",
    "Is the server running, is the port right, and may it be reached from other machines? "
    "Ollama and LM Studio listen to their own machine only until they are told otherwise.",
)
_OF_CODE = {
    (Kind.NETWORK, "refused"): _NOBODY,
    (Kind.TIMEOUT, "connect"): _NOBODY,
    (Kind.NETWORK, "dns"): Words("There is no host of that name", "It was not found from here. Check the spelling."),
    (Kind.NETWORK, "tls"): Words(
        "The connection is not secure",
        "The server's certificate is not one for this name that is trusted here, or it does not speak https.",
    ),
    (Kind.NETWORK, "reset"): Words(
        "The server hung up", "It closed the connection without an answer. Does it speak https where http was typed?"
    ),
    (Kind.NETWORK, "proxy"): Words(
        "The way out is closed", "The proxy of this installation did not connect to that address. Ask the operator."
    ),
}
_OF_KIND = {
    Kind.PROTOCOL: _NOT_COMPATIBLE,
    Kind.TIMEOUT: Words(
        "Your server did not answer in time",
        "A large model can take minutes to load. Load it there first, then try again.",
    ),
}
