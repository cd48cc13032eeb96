#!/usr/bin/env bash
# Runs the unit tests of one mutant, given the binary that has them: the slow ones last, and none
# after the first that fails. Left out is issue_178, which takes a minute without optimisation;
# that can only cost a kill.

set -euo pipefail
# libtest stops at the first failure only if told that this is a nightly.
export RUSTC_BOOTSTRAP=1
readonly FLAGS=(-Zunstable-options --fail-fast --skip issue_178)
readonly SLOW=(
    db::tests::randomized fflush_issue_474 issue_320 table_file_index_data
    each_single_failure large_manifest bloom_filter it_yields_what_a_memtable loom
    records_survive_whatever table::tests::randomized flips:: verify::
)

skips=()
for test in "${SLOW[@]}"; do skips+=(--skip "$test"); done
"$1" "${FLAGS[@]}" "${skips[@]}"
"$1" "${FLAGS[@]}" "${SLOW[@]}"
