"""What the AWS config files say of a profile, read by botocore's own reader: KCL and SQL must go where boto3 goes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple


class Configured(NamedTuple):
    """A profile's own words; None and nothing where it is silent."""

    region: str | None = None
    endpoint_url: str | None = None
    endpoint_urls: Mapping[str, str] = {}
    """Of single services, as ``Settings.endpoint_urls``."""


def configured(profile: str | None, environ: Mapping[str, str]) -> Configured:
    """Of the profile, or of the default one. A profile that is in neither file says nothing: boto3 refuses it."""
    home = Path(environ.get("HOME", "/nowhere"), ".aws")
    config = Path(environ.get("AWS_CONFIG_FILE") or home / "config").expanduser()
    secrets = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials").expanduser()
    if not config.is_file() and not secrets.is_file():
        return Configured()
    read = _config(config) if config.is_file() else {}
    own = {**read.get("profiles", {}).get(profile or "default", {})}
    own |= _config(secrets, raw=True).get(profile or "default", {}) if secrets.is_file() else {}
    services = read.get("services", {}).get(own.get("services"), {})
    urls = {name: each["endpoint_url"] for name, each in services.items() if isinstance(each, dict) and "endpoint_url" in each}
    return Configured(own.get("region"), own.get("endpoint_url"), urls)


def _config(file: Path, *, raw: bool = False) -> dict[str, Any]:
    from botocore.configloader import load_config, raw_config_parse
    from botocore.exceptions import ConfigParseError

    from clickstream.errors import UserMistake

    try:
        found: dict[str, Any] = raw_config_parse(str(file)) if raw else load_config(str(file))
    except ConfigParseError as error:
        raise UserMistake(f"{file} cannot be read as an AWS config file", hint="see `aws configure list`") from error
    return found
