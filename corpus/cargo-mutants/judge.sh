#!/usr/bin/env bash
# Judges what `cargo mutants` found: brings results.tsv up to date with the folders `mutants.out`
# that are named. What the unit tests missed is built into the simulator, in a scratch copy below
# target/cargo-mutants, and swept: always the same seeds of every scenario.
#
#     bash corpus/cargo-mutants/judge.sh [--no-sweep] target/cargo-mutants/mutants.out...
#
# What was swept before keeps its line, and so the reason that it was given; it is swept again only
# after the line was removed. With --no-sweep all else that the unit tests missed is only noted.

set -euo pipefail
shopt -s inherit_errexit
export LC_ALL=C
cd "$(dirname "$0")/../.."

readonly RESULTS=corpus/cargo-mutants/results.tsv
readonly SCRATCH=target/cargo-mutants
readonly COPY=$SCRATCH/copy SIM=$SCRATCH/target/sim/sim
readonly SEEDS=0..100
# The sweep takes a quarter of a minute on an idle core; one that hangs is no verdict.
readonly TIMEOUT=300

# Copies what differs of what `sim` is built from, so that nothing else is built again.
refresh_copy() {
    local file
    git ls-files --cached --others --exclude-standard -- \
        Cargo.toml Cargo.lock rust-toolchain.toml .cargo engine sim scenarios |
        while IFS= read -r file; do
            if ! cmp --quiet "$file" "$COPY/$file"; then
                mkdir -p "$(dirname "$COPY/$file")"
                cp "$file" "$COPY/$file"
            fi
        done
}

plant() {
    local diff=$1
    shift
    patch --directory="$COPY" --strip=0 --batch --no-backup-if-mismatch --fuzz=0 --quiet "$@" \
        <"$diff"
}

build() {
    CARGO_TARGET_DIR=$PWD/$SCRATCH/target cargo build --quiet \
        --manifest-path "$COPY/Cargo.toml" \
        --profile sim --bin sim
}

# The diff of the mutant with this place and these words, in the folder `mutants.out`.
diff_of() {
    local out=$1 file=$2 line=$3 column=$4 words=$5 diff
    for diff in "$out/diff/${file//\//__}_line_${line}_col_${column}"{,_*}.diff; do
        if [[ -e $diff ]] && grep -qxF -- "+++ $words" "$diff"; then
            printf '%s\n' "$diff"
            return
        fi
    done
    printf 'no diff of %s:%s:%s %s\n' "$file" "$line" "$column" "$words" >&2
    return 1
}

# Sweeps with what is planted; prints the verdict and, with a tab between, who decided.
sweep() {
    local output failed status=0
    output=$(timeout "$TIMEOUT" "$SIM" run --seeds "$SEEDS" --fail-fast --format json \
        --progress none 2>/dev/null) || status=$?
    failed=$(grep --max-count=1 '"event":"seed_failed"' <<<"$output") || true
    if [[ -n $failed ]]; then
        field() { sed -E "s/.*\"$1\":[[\"]*([^],@}]*).*/\1/; s/\".*//" <<<"$failed"; }
        printf 'killed by the sweep\t%s:%s, %s\n' "$(field scenario)" "$(field seed)" \
            "$(field checkers)"
    elif ((status == 124)); then
        printf 'timeout\tsweep\n'
    else
        printf 'survived\t\n'
    fi
}

# Prints `PLACE WORDS VERDICT FOLDER`, with tabs between, of each mutant of the folders: what the
# unit tests came to, the best for each.
outcomes() {
    local out list
    for list in caught unviable timeout missed; do
        for out in "$@"; do
            if [[ -e $out/$list.txt ]]; then
                sed -E "s|^([^:]+:[0-9]+:[0-9]+): (.*)\$|\1\t\2\t$list\t$out|" "$out/$list.txt"
            fi
        done
    done | awk -F '\t' '!seen[$1 FS $2]++'
}

# What is on record of a mutant, if the unit tests missed it then: verdict and reason.
recorded() {
    if [[ -e $RESULTS ]]; then
        awk -F '\t' -v place="$1" -v words="$2" '
            $1 == place && $2 == words && $3 !~ /unit tests|unviable|timeout/ { print $3 "\t" $4 }
        ' "$RESULTS"
    fi
}

# Builds and sweeps what the unit tests missed; prints the verdict and who decided.
judge() {
    local place=$1 words=$2 out=$3 file line column diff
    IFS=: read -r file line column <<<"$place"
    diff=$(diff_of "$out" "$file" "$line" "$column" "$words")
    plant "$diff" >&2
    if build; then sweep; else printf 'unviable\tsweep\n'; fi
    plant "$diff" --reverse >&2
}

# Notes the verdict on a mutant, in the place of what was on record of it.
note() {
    local new
    touch "$RESULTS"
    new=$(printf '%s\t%s\t%s' "$1" "$2" "$3")
    printf '%s\n' "$new"
    {
        printf 'place\tmutation\tverdict\tby, or why it survives\n'
        { printf '%s\n' "$new"; tail -n +2 "$RESULTS"; } | awk -F '\t' '!seen[$1 FS $2]++' |
            sort -t : -k 1,1 -k 2,2n -k 3,3n
    } >"$SCRATCH/results.tsv"
    mv "$SCRATCH/results.tsv" "$RESULTS"
}

all_notes() {
    local place words verdict out kept
    while IFS=$'\t' read -r place words verdict out; do
        case $verdict in
            caught) note "$place" "$words" $'killed by unit tests\t' ;;
            unviable | timeout) note "$place" "$words" "$verdict"$'\t' ;;
            missed)
                kept=$(recorded "$place" "$words")
                if [[ -z $kept && -n $may_sweep ]]; then
                    kept=$(judge "$place" "$words" "$out")
                fi
                [[ -n $kept ]] || kept=$'missed by unit tests\t'
                note "$place" "$words" "$kept"
                ;;
        esac
    done < <(outcomes "$@")
}

# The score by file: killed of those that compile and end.
score() {
    awk -F '\t' '
        NR > 1 {
            split($1, place, ":"); file = place[1]
            verdict = $3
            sub(/^killed by (the )?/, "", verdict); sub(/^missed.*/, "missed", verdict)
            count[file, verdict]++; count["in all", verdict]++
            if (!(file in files)) { files[file]; order[++n] = file }
        }
        END {
            order[++n] = "in all"
            print "| file | killed | unit tests | sweep | equivalent | survived | not swept " \
                "| timeout | unviable |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|"
            for (i = 1; i <= n; i++) {
                f = order[i]
                killed = count[f, "unit tests"] + count[f, "sweep"]
                left = count[f, "survived"] + count[f, "missed"]
                viable = killed + left + count[f, "equivalent"]
                printf "| %s | %s | %d | %d | %d | %d | %d | %d | %d |\n", f,
                    viable ? sprintf("%.0f %%", 100 * killed / viable) : "-",
                    count[f, "unit tests"], count[f, "sweep"], count[f, "equivalent"],
                    count[f, "survived"], count[f, "missed"], count[f, "timeout"],
                    count[f, "unviable"]
            }
        }' "$RESULTS"
}

may_sweep=yes
if [[ ${1:-} == --no-sweep ]]; then
    may_sweep=""
    shift
fi
if (($# > 0)); then
    mkdir -p "$COPY"
    refresh_copy
    all_notes "$@"
fi
score
