"""The Lambda functions and the state machine of the order workflow on the embedded AWS: deployed as on AWS, from one zip.

ministack runs a function's real code in a process of its own, behind real queues. Safe to run again: what is there is replaced.
"""

from __future__ import annotations

import io
import sysconfig
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from clickstream.aws import Clients
from clickstream.consumers.orders.needs import CODE
from clickstream.errors import Missing
from clickstream.infra.local.account import ACCOUNT
from clickstream.needs import Function, Needs
from clickstream.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_lambda.literals import RuntimeType

_PACKAGE = Path(__file__).parents[2]
#: What the functions need beyond what the Lambda runtime brings (boto3).
_THEIRS = ("aws_lambda_powertools", "aws_xray_sdk", "msgspec", "wrapt", "typing_extensions.py")
_ROLE = f"arn:aws:iam::{ACCOUNT}:role/clickstream-orders"
_RUNTIME: RuntimeType = "python3.12"
#: Three times that of the CDK app: here every environment of a function starts on the same few cores.
_TIMEOUT_S = 30


def deploy(clients: Clients, settings: Settings, needs: Needs) -> None:
    """The functions of ``settings.order_workflow``, each behind its queue, and the state machine if it leads."""
    code = package()
    for each in needs.functions:
        if each.workflow == settings.order_workflow:
            arn = _function(clients, settings, each, code)
            if each.queue is None and needs.state_machine is not None:
                clients.stepfunctions.create_state_machine(
                    name=needs.state_machine.of(settings),
                    definition=needs.state_machine.definition.read_text().replace("${TaskFunctionArn}", arn),
                    roleArn=_ROLE,
                )


def package() -> bytes:
    """A zip with the functions' code. Raises Missing when the extra ``orders`` is not installed."""
    site = Path(sysconfig.get_path("platlib"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for pattern in CODE.read_text().split():
            for path in _PACKAGE.glob(pattern):
                _add(archive, _PACKAGE.parent, path)
        for name in _THEIRS:
            if not (site / name).exists():
                raise Missing(f"{name} is not installed", hint="pip install 'clickstream[orders]'")
            _add(archive, site, site / name)
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, root: Path, path: Path) -> None:
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file() and "__pycache__" not in file.parts:
            archive.write(file, file.relative_to(root))


def _function(clients: Clients, settings: Settings, function: Function, code: bytes) -> str:
    name = f"{settings.name}-{function.name}"
    client = clients.lambda_
    try:
        arn = client.update_function_code(FunctionName=name, ZipFile=code)["FunctionArn"]
    except client.exceptions.ResourceNotFoundException:
        variables = {
            "CLICKSTREAM_NAME": settings.name,
            "CLICKSTREAM_ORDER_WORKFLOW": settings.order_workflow,
            # no X-Ray daemon listens here
            "POWERTOOLS_TRACE_DISABLED": "true",
        }
        arn = client.create_function(
            FunctionName=name,
            Runtime=_RUNTIME,
            Role=_ROLE,
            Handler=function.handler,
            Code={"ZipFile": code},
            Timeout=_TIMEOUT_S,
            MemorySize=256,
            Environment={"Variables": variables},
        )["FunctionArn"]
        if function.queue is not None:
            _stand_behind(clients, arn, function.queue.of(settings))
    return arn


def _stand_behind(clients: Clients, function: str, name: str) -> None:
    url = clients.sqs.get_queue_url(QueueName=name)["QueueUrl"]
    queue = clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    clients.lambda_.create_event_source_mapping(
        FunctionName=function, EventSourceArn=queue, BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
