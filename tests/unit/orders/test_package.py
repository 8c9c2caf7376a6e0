"""The functions' archive: what it holds is enough, beside what the Lambda runtime brings."""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import clickstream.consumers.orders
from clickstream.consumers.orders.needs import CODE
from clickstream.infra.local import functions

_PACKAGE = Path(functions.__file__).parents[1] / "functions" / "package.sh"
#: boto3, and what it needs.
_BROUGHT = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")


def test_the_archive_alone_imports_the_functions(tmp_path: Path) -> None:
    code, brought = tmp_path / "code", tmp_path / "brought"
    zipfile.ZipFile(io.BytesIO(functions.package())).extractall(code)
    brought.mkdir()
    for name in _BROUGHT:
        (brought / name).symlink_to(Path(sysconfig.get_path("platlib")) / name)
    # neither this environment's packages nor the working directory
    program = f"import sys; sys.path[:0] = {[str(code), str(brought)]!r}; import clickstream.consumers.orders.functions"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_release_packs_the_same_files_of_ours() -> None:
    assert "$(cat consumers/orders/functions.txt)" in _PACKAGE.read_text()
    assert Path(clickstream.consumers.orders.__file__).parent / "functions.txt" == CODE
