"""Any failure as one line for a person, and a hint of what to do. Pure: botocore's errors are known by their names."""

import traceback
from pathlib import Path

import msgspec

from clickstream.errors import ClickstreamError, UserMistake


class Explanation(msgspec.Struct, frozen=True):
    """``hint`` is empty where there is nothing to advise."""

    message: str
    hint: str = ""


_ENDPOINT = "is AWS_ENDPOINT_URL right, and the service up? `clickstream local status` tells of this machine's"
_HERE = 'eval "$(clickstream local status)" if `clickstream up` runs here, else eval "$(clickstream local start)"'
_CREDENTIALS = f"set AWS_PROFILE or AWS_ACCESS_KEY_ID; for this machine's own AWS: {_HERE}"
_EXPIRED = "these credentials are not valid (any more): log in again, or set AWS_PROFILE"
_DENIED = "these credentials may not do that: ask for the permission, or set AWS_PROFILE"

#: botocore's exceptions by name → what to do
_BY_TYPE = {
    "EndpointConnectionError": _ENDPOINT,
    "ConnectTimeoutError": _ENDPOINT,
    "ReadTimeoutError": _ENDPOINT,
    "ConnectionClosedError": _ENDPOINT,
    "ProxyConnectionError": _ENDPOINT,
    "SSLError": "AWS_CA_BUNDLE names the certificates to trust",
    "NoCredentialsError": _CREDENTIALS,
    "PartialCredentialsError": _CREDENTIALS,
    "CredentialRetrievalError": _CREDENTIALS,
    "TokenRetrievalError": _EXPIRED,
    "UnauthorizedSSOTokenError": _EXPIRED,
    "SSOTokenLoadError": _EXPIRED,
}
#: AWS's error codes → what to do
_BY_CODE = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), _DENIED),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidClientTokenId"), _EXPIRED),
    **dict.fromkeys(("InvalidSignatureException", "SignatureDoesNotMatch", "UnrecognizedClientException"), _EXPIRED),
}


def explain(error: Exception) -> Explanation:
    if isinstance(error, ClickstreamError):
        own = error.hint if isinstance(error, UserMistake) else ""
        return Explanation(_one_line(str(error)), own or _hint_of_causes(error))
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return Explanation(f"{place}{error.strerror}")
    if hint := _hint_of_causes(error):
        return Explanation(_one_line(str(error)), hint)
    return Explanation(
        _one_line(f"a fault of this program: {type(error).__name__}: {error}{_place(error)}"),
        "the same command with --debug shows the traceback, which belongs in the report",
    )


def _hint_of_causes(error: BaseException | None) -> str:
    while error is not None:
        response = getattr(error, "response", None)
        code = response.get("Error", {}).get("Code", "") if isinstance(response, dict) else ""
        if hint := _BY_TYPE.get(type(error).__name__, "") or _BY_CODE.get(code, ""):
            return hint
        error = error.__cause__
    return ""


def _place(error: BaseException) -> str:
    """Where it was raised, as ``(file.py:12)``; empty for an error that was never raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
