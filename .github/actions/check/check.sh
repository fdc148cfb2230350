#!/usr/bin/env bash
# The steps of the action, which run without GitHub too:
#   check.sh key            prints a name for this version of the sources, for the cache
#   check.sh install DIR    builds ppo, and nothing else, into DIR/bin
#   check.sh check          runs the ppo of PATH on $FILES by $DIALECT, $STRICT, $FORMAT, $REPORT
# Exit codes of the last: 0 nothing is wrong, 1 something is, 2 nothing could be compared.
set -euo pipefail
shopt -s globstar nullglob

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)

# put NAME=VALUE: an output of the step, on GitHub.
put() {
    echo "$1" >>"${GITHUB_OUTPUT:-/dev/null}"
}

# stop SENTENCE: nothing could be compared.
stop() {
    echo "::error title=ppo check compared nothing::$1"
    put exit-code=2
    exit 2
}

key() {
    local key
    key=$(cd "$root" && find Cargo.toml Cargo.lock ./*/Cargo.toml reference/src optimized/src tests/src -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c 1-16)
    echo "$key"
    put "key=$key"
}

install() {
    cargo install --quiet --locked --path "$root/tests" --bin ppo --root "$1"
}

check() {
    local files=() words=() flags=() word found code=0 format=${FORMAT:-text}
    # A glob that matches nothing is no file.
    read -r -d '' -a words <<<"${FILES:-}" || true
    for word in "${words[@]}"; do
        # shellcheck disable=SC2206  # globs are meant
        found=($word)
        [ ${#found[@]} -gt 0 ] || stop "no file matches $word"
        files+=("${found[@]}")
    done
    [ ${#files[@]} -gt 0 ] || stop "no files were given"
    [ -z "${DIALECT:-}" ] || flags+=(--dialect "$DIALECT")
    case ${STRICT:-false} in
    true) flags+=(--strict) ;;
    false) ;;
    *) stop "strict is $STRICT, and must be true or false" ;;
    esac

    local said
    said=$(mktemp)
    # Not by the name /dev/stdout, which would empty a log that it leads to.
    if [ -n "${REPORT:-}" ]; then exec 3>"$REPORT"; else exec 3>&1; fi
    ppo check "${files[@]}" "${flags[@]}" --format "$format" >&3 2>"$said" || code=$?
    cat "$said" >&2
    case $code in
    0) put exit-code=0 ;;
    1)
        echo "::error title=ppo check::an output of ${files[*]} is not what its equation says"
        put exit-code=1
        ;;
    *) stop "$(tr '\n' ' ' <"$said")" ;;
    esac
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
        ppo check "${files[@]}" "${flags[@]}" --format markdown >>"$GITHUB_STEP_SUMMARY" || true
    fi
    return $code
}

"$@"
