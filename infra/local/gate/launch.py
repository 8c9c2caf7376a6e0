"""Starts ministack behind the gate: ``PYTHON launch.py POLICIES``, with ministack's own Python.

A script, run isolated (-I): only this process finds the project's folder, and not the Lambda functions that it starts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def main() -> None:
    _, policies = sys.argv
    sys.path.append(str(Path(__file__).absolute().parents[4]))
    sys.argv = ["ministack"]

    from ministack import app as ministack
    from ministack.core import lambda_runtime, persistence
    from ministack.core.responses import get_region
    from ministack.services import dynamodb, lambda_svc, sqs

    from clickstream.infra.local.account import ACCOUNT
    from clickstream.infra.local.gate import durable
    from clickstream.infra.local.gate.asgi import Middleware
    from clickstream.infra.local.gate.gate import Gate
    from clickstream.infra.local.gate.policies import Policies
    from clickstream.infra.local.gate.queues import make_cheap

    region = get_region()  # outside of any request this is the region that ministack was started for
    known = Policies.read(Path(policies).read_text())

    def keys(table: str) -> tuple[str, ...]:
        found = dynamodb._tables.get_scoped(ACCOUNT, region, table.rpartition("table/")[2])
        return () if found is None else tuple(filter(None, (found["pk_name"], found["sk_name"])))

    def as_its_role(credentials: Any) -> Any:
        """A function called ``NAME-ROLE`` signs with its role's key, as it does on AWS."""

        def under(config: dict[str, Any]) -> dict[str, str]:
            function = str(config.get("FunctionName", ""))
            for role in known.roles:
                if function.endswith(f"-{role}"):
                    key = f"{function.removesuffix(f'-{role}')}.{role}"
                    return {**credentials(config), "AWS_ACCESS_KEY_ID": key}
            return dict(credentials(config))

        return under

    lambda_runtime.execution_credentials = as_its_role(lambda_runtime.execution_credentials)
    lambda_svc.execution_credentials = lambda_runtime.execution_credentials
    make_cheap(sqs)
    if persistence.PERSIST_STATE:
        durable.keep(dynamodb, persistence, Path(persistence.STATE_DIR))
    ministack.app = Middleware(ministack.app, Gate(known, keys))
    ministack.main()


if __name__ == "__main__":
    main()
