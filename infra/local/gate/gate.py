"""The decision about one call: credentials first, then permissions, injected faults and limits. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.gate import faults
from clickstream.infra.local.gate.actions import Need, context, needs
from clickstream.infra.local.gate.faults import Fault
from clickstream.infra.local.gate.policies import Policies, Principal, principal
from clickstream.infra.local.gate.requests import Request
from clickstream.infra.local.limits import requests as limits
from clickstream.infra.local.limits.dynamodb import Keys
from clickstream.infra.local.limits.refusal import Refusal

_UNKNOWN_KEY = "The security token included in the request is invalid."


class Gate:
    """Refuses what AWS would refuse; holds the policies and the faults in force."""

    def __init__(self, policies: Policies, keys: Keys = limits.no_keys) -> None:
        self._policies = policies
        self._keys = keys
        self.active: list[Fault] = []
        self.denied: dict[str, None] = {}
        """What no policy allowed, each line once: "ACCESS KEY ACTION RESOURCE". A grant is missing, or a call is wrong."""

    def judges(self, access_key: str) -> bool:
        """Whether a call under this key can now be refused for anything but a limit."""
        return bool(self.active) or principal(access_key) is not None

    def refusal(self, request: Request, stream_of: Callable[[Mapping[str, Any]], str] | None = None) -> Refusal | None:
        """The answer to a call that may not go on to the service; None if it may."""
        try:
            needed = needs(request, stream_of)
            return self._of_caller(request, needed) or self._of_content(request, needed)
        except (KeyError, TypeError, ValueError, AttributeError):
            return None  # not the API's shape: the service refuses it in its own words

    def hidden(self, request: Request) -> Refusal | None:
        """The answer in place of "no such key": a caller that may not list a bucket does not learn which keys are absent."""
        who = principal(request.caller.access_key)
        if who is None or request.operation not in ("GetObject", "HeadObject"):
            return None
        listing = Need("s3:ListBucket", f"s3:{request.parameters['Bucket']}")
        return None if self._policies.allows(who, listing, {}) else denied(who.arn, listing, request, explicit=False)

    def _of_caller(self, request: Request, needed: list[Need]) -> Refusal | None:
        service, region = request.caller.service, request.caller.region
        who = principal(request.caller.access_key)
        if who is not None and not self._policies.knows(who):
            return _unknown(service)
        for fault in self.active:
            if fault.kind in ("expired", "skewed") and faults.hits(fault, request, needed) is not None:
                return faults.answer(fault.kind, service, region)
        for fault in self.active:
            need = faults.hits(fault, request, needed) if fault.kind == "denied" else None
            if need is not None:
                return denied(_arn(who), need, request, explicit=True)
        if who is not None:
            conditions = context(request)
            for need in needed:
                if not self._policies.allows(who, need, conditions):
                    self.denied[f"{request.caller.access_key} {need.action} {need.resource}"] = None
                    return denied(who.arn, need, request, explicit=False)
        return None

    def _of_content(self, request: Request, needed: list[Need]) -> Refusal | None:
        service, region = request.caller.service, request.caller.region
        for fault in self.active:
            if fault.kind in ("kms", "final") and faults.hits(fault, request, needed) is not None:
                return faults.answer(fault.kind, service, region)
        return limits.refusal(service, request.operation, request.parameters, self._keys)


def denied(arn: str, need: Need, request: Request, *, explicit: bool) -> Refusal:
    """AWS's message: the caller, the action, the resource and the reason."""
    service = request.caller.service
    action = {"sns": need.action.replace("sns:", "SNS:"), "sqs": need.action.lower()}.get(service, need.action)
    why = (
        "with an explicit deny in an identity-based policy"
        if explicit
        else f"because no identity-based policy allows the {action} action"
    )
    resource = need.arn(request.caller.region)
    shown = f'"{resource}"' if service == "s3" else resource
    message = f"User: {arn} is not authorized to perform: {action} on resource: {shown} {why}"
    code, status = {
        "s3": ("AccessDenied", 403),
        "sns": ("AuthorizationError", 403),
        "sqs": ("AccessDenied", 403),
        "cloudwatch": ("AccessDenied", 403),
        "lambda": ("AccessDeniedException", 403),
    }.get(service, ("AccessDeniedException", 400))
    return Refusal(code, message, status)


def _unknown(service: str) -> Refusal:
    if service == "s3":
        return Refusal("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403)
    if service in ("sns", "sqs", "cloudwatch"):
        return Refusal("InvalidClientTokenId", _UNKNOWN_KEY, 403)
    return Refusal("UnrecognizedClientException", _UNKNOWN_KEY)


def _arn(who: Principal | None) -> str:
    return f"arn:aws:iam::{ACCOUNT}:root" if who is None else who.arn
