"""``python -m tests.infra.recording.functions NAME``: invokes an order function as Lambda does, with its event from stdin."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

from clickstream.consumers.orders import functions


def main() -> int:
    name = sys.argv[1]
    context = SimpleNamespace(
        function_name=name,
        memory_limit_in_mb=256,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        aws_request_id="recorded",
        get_remaining_time_in_millis=lambda: 10_000,
    )
    answer = getattr(functions, name)(json.load(sys.stdin), context)
    sys.stderr.write(f"{json.dumps(answer)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
