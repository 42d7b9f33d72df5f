#!/bin/sh
# PostgreSQL's archive_command: archive-wal.sh "%p" "%f" FOLDER. Succeeds only when the file is on the disk under its name.
# Never overwrites: a file that is already there must be the same, as it is after a crash.
set -eu
source=$1 target=$3/$2
if [ -e "$target" ]; then
  cmp -s "$source" "$target"
  # A kill may have come between its renaming and this.
  sync "$target" "$3"
  exit
fi
partial=$3/.$2.partial
cp "$source" "$partial"
sync "$partial"
mv "$partial" "$target"
sync "$3"
