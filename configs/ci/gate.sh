#!/bin/sh
# The gate for any CI: measures this checkout against a base, and exits as the gate did.
#
#   gate.sh                      against the merge base with origin/main
#   gate.sh REVISION             against a revision
#   GATE='make -s gate' gate.sh  another command that ends in a gate, taken as it is
#
# The exit code is not believed alone: `make` turns every failure into 2, a pipe shows that of its last command, and a gate that fails
# with the code of something else, or of nothing, is no gate. The last line of its output tells too. Where the two disagree, the line
# decides, but a line that says PASSED never turns a failure into a pass.
set -u

say() { echo "gate.sh: $*" >&2; }

output=$(mktemp) || exit 3
trap 'rm -f "$output"' EXIT

if [ -n "${GATE:-}" ]; then
    # Split into words on purpose.
    # shellcheck disable=SC2086
    $GATE >"$output"
    status=$?
else
    base=${1:-}
    if [ -z "$base" ]; then
        base=$(git merge-base origin/main HEAD) || {
            say "there is no merge base with origin/main: fetch the whole history, or name a revision"
            exit 3
        }
    fi
    ./bench gate scenarios/scheduling.toml scenarios/tcp.toml \
        --base-rev "$base" --max-time 120s --junit gate.xml --markdown gate.md --json gate.json --html gate.html >"$output"
    status=$?
fi
cat "$output"

# What the last line says, as exit codes it may come with; the first is taken where another one came.
case $(tail -n 1 "$output") in
    "ZOKIO-GATE: PASSED "*) may_be="0" ;;
    "ZOKIO-GATE: REGRESSED "*) may_be="1" ;;
    "ZOKIO-GATE: INCONCLUSIVE "*) may_be="4 0" ;;
    "ZOKIO-GATE: INVALID "*) may_be="5" ;;
    "ZOKIO-GATE: ERROR "*) may_be="3 2 130" ;;
    *) may_be="" ;;
esac

code=$status
if [ -z "$may_be" ]; then
    # Without the line no gate came to its end, whatever code there is.
    [ "$status" -ne 0 ] || { say "exit code 0, but the last line is not that of a gate"; code=3; }
else
    case " $may_be " in
        *" $status "*) ;;
        " 0 ") say "the gate passed, but the command around it failed" ;;
        *)
            code=${may_be%% *}
            say "the command's exit code is $status, but its last line stands for $code: something between swallowed it"
            ;;
    esac
fi

case $code in
    0) say "passed: nothing that is gated got worse by the threshold" ;;
    1) say "regression or failed threshold: see the rows marked worse, and gate.html for their pairs" ;;
    2) say "bad usage, scenario or configuration: nothing was measured; the message names the place" ;;
    3) say "could not run: the host lacks something, a subject crashed, or the base could not be had; this says nothing about speed" ;;
    4) say "inconclusive: too noisy for the time allowed; a longer --max-time or a quieter machine would tell" ;;
    5) say "invalid measurement: a guard or a verification failed; the rows say which" ;;
    130) say "interrupted: the result is partial" ;;
    *) say "exit code $code is none of the gate's: the command itself broke" ;;
esac
exit "$code"
