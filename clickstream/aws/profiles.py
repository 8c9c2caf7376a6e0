"""What the AWS config file says of a profile, read by botocore's own reader: KCL and SQL must go where boto3 goes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def configured(profile: str, environ: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """The profile's region, and its endpoint URLs by service, that of all others under "". Raises UserMistake."""
    file = Path(environ.get("AWS_CONFIG_FILE") or f"{environ.get('HOME', '')}/.aws/config").expanduser()
    if not file.is_file():
        return None, {}
    from botocore.configloader import load_config
    from botocore.exceptions import ConfigParseError

    from clickstream.errors import UserMistake

    try:
        read: dict[str, Any] = load_config(str(file))
    except ConfigParseError as error:
        raise UserMistake(f"{file} cannot be read as an AWS config file", hint="see `aws configure list`") from error
    own = read["profiles"].get(profile, {})
    services = {"": own, **read["services"].get(own.get("services"), {})}
    urls = {name: each["endpoint_url"] for name, each in services.items() if isinstance(each, dict) and "endpoint_url" in each}
    return own.get("region"), urls
