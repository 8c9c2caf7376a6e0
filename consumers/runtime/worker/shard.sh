#!/bin/sh
# KCL's daemon starts this once per shard. It asks the zygote (zygote.py) for a fork that takes over these very
# pipes, and stays only because the daemon wants its own child to live as long as the shard's process does: a shell waiting
# costs a few hundred kilobytes, a further Python with its libraries fifty megabytes and a second.
set -u
directory=$1
done="$directory/$$.done"
mkfifo -m 600 "$done" || exit 1
# in a subshell: a redirection would replace this shell's own pipe just when the fork looks at it
(echo "$$" >"$directory/requests")
# blocks until the fork, which has the pipes by then, opens its end
exec 3<"$done"
rm -f "$done"
# blocks until the fork ends; an empty answer is a fork that was killed
read -r code <&3
exit "${code:-1}"
