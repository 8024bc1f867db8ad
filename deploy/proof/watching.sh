# Functions for scripts that start a stream and wait for what it says; they are sourced.
# shellcheck shell=bash
readonly LINES_OF_STREAM=/run/stream.jsonl
seen=0

show() {
    echo "\$ $*"
    "$@" 2>&1 || echo "exit code $?"
    echo
}

# Runs a command, shows what it says, and fails where that lacks $1.
says() {
    local said
    echo "\$ ${*:2}"
    said=$("${@:2}" 2>&1) || said+=$'\n'"exit code $?"
    echo "$said"
    echo
    grep --quiet -- "$1" <<<"$said" || {
        echo "error: that lacks: $1"
        exit 1
    }
}

# Starts a stream in the background.
start() {
    echo "\$ lightcam-edge stream $* &"
    lightcam-edge stream --quiet --model nano --json "$@" >$LINES_OF_STREAM &
    stream=$!
}

# Waits until the lines since the last wait have $1, and prints how long that took and the reason, if one is given.
expect() {
    local began=$SECONDS line
    until line=$(tail -n "+$((seen + 1))" $LINES_OF_STREAM | grep --max-count=1 -- "$1"); do
        ((SECONDS < began + 120)) || {
            echo "error: no $1 within two minutes"
            grep '"state"' $LINES_OF_STREAM
            exit 1
        }
        sleep 0.5
    done
    seen=$(wc -l <$LINES_OF_STREAM)
    echo "  $1 after $((SECONDS - began)) s $(grep -o '"reason": "[^"]\+"' <<<"$line" || true)"
}

# Ends the stream, which has to end well, and prints how long that took.
finish() {
    local began=$EPOCHREALTIME
    kill "$stream"
    wait "$stream"
    echo "  ended in $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
    seen=0
    echo
}
