"""An operation's parameters as options of a command, and its answer's fields as the text of ``--help``. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.serving.api.operation import Parameter, as_id

Command = TypeVar("Command", bound=Callable[..., Any])


class Id(click.ParamType[str]):
    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return as_id(value, "id")
        except UserMistake as error:
            self.fail(f"{error}: {error.hint}", param, ctx)


def option(parameter: Parameter, **changes: Any) -> Callable[[Command], Command]:
    """With the parameter's bounds, default and description. ``changes`` are click's own arguments, for what differs."""
    schema = parameter.schema
    kind: click.ParamType[Any] = click.STRING
    if "enum" in schema:
        kind = click.Choice(schema["enum"])
    elif schema["type"] == "integer":
        kind = click.IntRange(schema["minimum"], schema["maximum"])
    settings: dict[str, Any] = {
        "type": kind,
        "default": schema.get("default"),
        "show_default": True,
        "help": f"{parameter.description[0].upper()}{parameter.description[1:]}.",
    }
    return click.option(f"--{parameter.name}", parameter.argument, **settings | changes)


json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


def described(summary: str, answer: Any, *examples: str) -> str:
    """The text of a command's help, with the fields of the answer's JSON."""
    (root,), parts = msgspec.json.schema_components([answer], ref_template="{name}")
    # click leaves a paragraph that begins with \b as it is
    fields = "\n".join(["\b", "With --json, an object of:", *_fields(root["$ref"], parts, "  ")])
    shown = "\n".join(["\b", "Examples:" if len(examples) > 1 else "Example:", *(f"  {example}" for example in examples)])
    return "\n\n".join((summary, fields, shown))


def _fields(name: str, parts: Mapping[str, Any], indent: str) -> Iterator[str]:
    for field, schema in parts[name].get("properties", {}).items():
        yield f"{indent}{field:<{14 - len(indent)}}  {schema.get('description', '')}".rstrip()
        inner = schema.get("items", schema).get("$ref")
        if inner is not None:
            yield from _fields(inner, parts, f"{indent}  ")
