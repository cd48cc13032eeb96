#!/usr/bin/env bash
# Has real LevelDB make the named databases of corpus/format from their scripts, and write down
# what it finds in them. Needs a C++ compiler and LevelDB (Debian: libleveldb-dev).

set -euo pipefail
cd "$(dirname "$0")/../../.."

(($# > 0)) || { printf 'usage: generate.sh NAME...\n' >&2; exit 2; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
c++ -std=c++17 -O1 -o "$scratch/peer" engine/tests/support/leveldb/peer.cc -lleveldb

for name in "$@"; do
    sample=corpus/format/$name
    rm -rf "$sample/db"
    mkdir "$sample/db"
    "$scratch/peer" run "$sample/db" <"$sample/script"
    rm -f "$sample"/db/{LOCK,LOG,LOG.old}
    # To read a database is to rewrite it.
    cp -a "$sample/db" "$scratch/$name"
    "$scratch/peer" dump "$scratch/$name" >"$sample/expected"
    printf '%s: %d entries, %s\n' "$name" "$(wc -l <"$sample/expected")" \
        "$(du -sh "$sample" | cut -f1)"
done
