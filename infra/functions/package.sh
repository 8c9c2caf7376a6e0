#!/bin/sh
# The Lambda functions' archive of a release: package.sh OUTPUT.zip [PYTHON_VERSION]
# Packages come by the lock file's digests, as wheels for Lambda's Linux, whatever machine builds them.
set -eu
output=$(realpath "$1")
version=${2:-3.14}
root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
uv=${UV:-uv}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cd "$root"
mkdir -p "$folder/code/clickstream"
"$uv" export --quiet --frozen --only-group functions --no-emit-project --output-file "$folder/requirements.txt" > /dev/null
"$uv" pip install --quiet --require-hashes --only-binary :all: --target "$folder/code" \
    --python-version "$version" --python-platform x86_64-manylinux_2_28 --requirements "$folder/requirements.txt"
# shellcheck disable=SC2046  # names without spaces, one a line
(cd clickstream && cp -RL --parents $(cat consumers/orders/functions.txt) "$folder/code/clickstream/")
rm -f "$output"
# the same files give the same archive: sorted, and without the time of this build
cd "$folder/code"
python3 - "$output" <<'END'
import pathlib, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(pathlib.Path().rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            archive.writestr(zipfile.ZipInfo(str(path)), path.read_bytes(), zipfile.ZIP_DEFLATED)
END
