#!/bin/sh
# ECS hands a secret over as a variable; the collector reads its keys from a file that it alone can read.
set -eu
umask 077
printenv COLLECTOR_KEYS > .local/collector-keys.json
unset COLLECTOR_KEYS
exec .venv/bin/clickstream collect --host "${COLLECTOR_HOST:-0.0.0.0}" --allow-remote --keys .local/collector-keys.json "$@"
