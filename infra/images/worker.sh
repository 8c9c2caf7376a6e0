#!/bin/sh
# A worker's id must be its own among all of its application's; a Fargate task's host name is.
set -eu
exec .venv/bin/clickstream worker "$@" -w "$(hostname)"
