"""``python -m clickstream.infra.images.rehearse IMAGE DIRECTORY``: an image's build without docker, in a clean directory.

It reads the Dockerfile itself and does what it says: each stage gets an empty root, COPY copies (from the files that git knows,
as a build context without leftovers has them), RUN runs. What it cannot show: the base image (this machine's Python stands in),
another user, and a root of its own; so every path in our Dockerfiles' commands is relative to the working directory.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.settings import child_environment

ROOT = Path(__file__).parents[3]
IMAGES = ("worker", "collector", "serving", "generator")
#: Instructions that only describe the image.
_DESCRIBE = frozenset({"ARG", "USER", "VOLUME", "EXPOSE", "LABEL"})


class Instruction(msgspec.Struct, frozen=True):
    """One line of a Dockerfile, continued lines joined."""

    name: str
    value: str


class Image(msgspec.Struct, kw_only=True):
    """A stage as far as it is built; the last one is the image."""

    root: Path
    workdir: Path
    """In ``root``."""
    variables: dict[str, str] = {}
    entrypoint: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()
    user: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return child_environment(self.variables)


def parse(text: str) -> Iterator[Instruction]:
    """The instructions of a Dockerfile, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, value = line.strip().partition(" ")
        yield Instruction(name.upper(), value.strip())


def rehearse(image: str, directory: Path) -> Image:
    """Build ``image`` below an empty ``directory``; raises UserMistake when a step fails or is not known."""
    stages: dict[str, Image] = {}
    current: Image | None = None
    for instruction in parse((ROOT / "infra" / "images" / f"{image}.Dockerfile").read_text()):
        if instruction.name == "FROM":
            name = instruction.value.partition(" AS ")[2] or "final"
            root = directory / name
            root.mkdir(parents=True)
            current = stages[name] = Image(root=root, workdir=root)
        elif current is not None:
            _apply(instruction, current, stages)
    if current is None:
        raise UserMistake(f"{image}.Dockerfile has no FROM")
    return current


def _apply(instruction: Instruction, image: Image, stages: dict[str, Image]) -> None:
    match instruction:
        case Instruction("WORKDIR", value):
            image.workdir = image.root / value.lstrip("/")
            image.workdir.mkdir(parents=True, exist_ok=True)
        case Instruction("COPY", value):
            _copy(shlex.split(value), image, stages)
        case Instruction("RUN", value):
            _run(value, image)
        case Instruction("ENV", value):
            image.variables = image.variables | dict(pair.split("=", 1) for pair in shlex.split(value))
        case Instruction("ENTRYPOINT", value):
            image.entrypoint = tuple(json.loads(value))
        case Instruction("HEALTHCHECK", value):
            image.healthcheck = () if value == "NONE" else tuple(json.loads(value.partition("CMD")[2]))
        case Instruction("USER", value):
            image.user = value
        case Instruction(name, _) if name in _DESCRIBE:
            pass
        case Instruction(name, _):
            raise UserMistake(f"the rehearsal does not know {name}", hint="teach infra/images/rehearse.py what docker does")


def _copy(words: list[str], image: Image, stages: dict[str, Image]) -> None:
    *sources, target = words
    stage = None
    if sources[0].startswith("--from="):
        stage = stages[sources.pop(0).removeprefix("--from=")]
    for source in sources:
        into = image.workdir / target
        if stage is None:
            for path in _context(source):
                # a folder's content is copied, a file keeps its name
                inside = path.relative_to(source) if source.endswith("/") else Path(path.name)
                place = into / inside if target.endswith("/") else into
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, place, follow_symlinks=False)
        else:
            origin = stage.root / source.lstrip("/")
            if origin.is_dir():
                shutil.copytree(origin, into, symlinks=True)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(origin, into / origin.name)


def _context(source: str) -> list[Path]:
    """The files and links below ``source`` that git has, or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", source],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    found = [Path(line) for line in listed if line and ((ROOT / line).is_file() or (ROOT / line).is_symlink())]
    if not found:
        raise UserMistake(f"COPY {source}: no such file in the build context")
    return found


def _run(command: str, image: Image) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=image.workdir,
        env=image.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UserMistake(f"RUN {command}: exit code {done.returncode}: {done.stderr.strip()[-1500:]}")


@click.command()
@click.argument("image", type=click.Choice(IMAGES))
@click.argument("directory", type=click.Path(path_type=Path))
def main(image: str, directory: Path) -> None:
    """Build IMAGE in DIRECTORY, which must not exist, and print where its root is."""
    if directory.exists():
        raise click.BadParameter(f"{directory} is there already", param_hint="DIRECTORY")
    try:
        built = rehearse(image, directory)
    except UserMistake as error:
        click.echo(f"{error}", err=True)
        sys.exit(1)
    click.echo(str(built.workdir))


if __name__ == "__main__":
    main()
