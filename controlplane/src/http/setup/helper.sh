#!/bin/sh
# Prints a token for the gateway at @@GATEWAY@@, for Claude Code's `apiKeyHelper`. The token is renewed before it ends; when the
# session is over, a browser is opened to sign in.
#
#   --sign-in    sign in if need be, and wait for it
#   --sign-out   end the session
set -u
umask 077

GATEWAY='@@GATEWAY@@'
here=$(cd "$(dirname "$0")" && pwd) || exit 1
session=$here/session
lock=$here/lock

say() { printf '%s\n' "$*" >&2; }

# field NAME and number NAME, of an answer. What is asked for here has nothing in it that JSON escapes, or is for people only.
field() { printf '%s' "$answer" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
number() { printf '%s' "$answer" | sed -n "s/.*\"$1\":\([0-9]\{1,\}\).*/\1/p"; }

# ask PATH FIELD=VALUE…: sets answer and status. Values go through standard input, so that they show in no list of processes.
ask() {
    path=$1
    shift
    body=
    for pair in "$@"; do body=${body:+$body&}$pair; done
    answer=$(printf '%s' "$body" | curl -sS --max-time 30 --data-binary @- -w '\n%{http_code}' "$GATEWAY$path") || return 1
    status=${answer##*
}
    answer=${answer%
*}
}

read_session() {
    access= refresh= ends=0 life=0
    [ ! -f "$session" ] || { read -r access && read -r refresh && read -r ends && read -r life; } <"$session"
}

write_session() {
    access=$(field access_token) refresh=$(field refresh_token) life=$(number expires_in)
    ends=$(($(date +%s) + life))
    printf '%s\n' "$access" "$refresh" "$ends" "$life" >"$session.new" && mv "$session.new" "$session"
}

# Whether the token lasts until Claude Code asks for the next one, which is every five minutes.
lasts() {
    room=400
    [ "$room" -lt $((life / 2)) ] || room=$((life / 2))
    [ -n "$access" ] && [ $((ends - $(date +%s))) -gt "$room" ]
}

renew() {
    [ -n "$refresh" ] || return 1
    if ! ask /oauth/token grant_type=refresh_token "refresh_token=$refresh"; then
        say "The gateway at $GATEWAY cannot be reached."
        return 2
    fi
    case $status in
    200) write_session ;;
    400 | 401)
        rm -f "$session"
        return 1
        ;;
    *)
        say "The gateway could not renew the session: $(field error_description)"
        return 2
        ;;
    esac
}

open_browser() {
    for with in open wslview xdg-open; do
        if command -v "$with" >/dev/null 2>&1; then
            "$with" "$1" >/dev/null 2>&1 &
            return
        fi
    done
}

sign_in() {
    if ! ask /oauth/device_authorization surface=claude_code; then
        say "The gateway at $GATEWAY cannot be reached."
        return 1
    fi
    if [ "$status" != 200 ]; then
        say "The gateway does not let anybody sign in now: $(field error_description)"
        return 1
    fi
    code=$(field device_code) wait=$(number interval) page=$(field verification_uri_complete)
    left=$(number expires_in)
    [ "$waiting" = long ] || left=120
    say "To sign in, open this page and see that it shows the code $(field user_code):"
    say "  $page"
    notice=$(field login_notice)
    [ -z "$notice" ] || say "$notice"
    open_browser "$page"
    while [ "$left" -gt 0 ]; do
        sleep "$wait"
        left=$((left - wait))
        ask /oauth/token grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code "device_code=$code" || continue
        if [ "$status" = 200 ]; then
            write_session
            say "Signed in as $(field email)."
            return
        fi
        case $(field error) in
        authorization_pending) ;;
        slow_down) wait=$((wait + 5)) ;;
        access_denied) say "The sign-in was turned down." && return 1 ;;
        *) say "The sign-in has failed: $(field error_description)" && return 1 ;;
        esac
    done
    say "Nobody has signed in; try again."
    return 1
}

take_lock() {
    tries=0
    until mkdir "$lock" 2>/dev/null; do
        tries=$((tries + 1))
        # Whoever held it is gone.
        if [ -n "$(find "$lock" -prune -mmin +11 2>/dev/null)" ]; then rmdir "$lock" 2>/dev/null; fi
        [ "$tries" -lt 150 ] || {
            say "Another sign-in is under way; finish it in the browser."
            exit 1
        }
        sleep 1
        read_session
        if lasts; then
            printf '%s\n' "$access"
            exit 0
        fi
    done
    trap 'rmdir "$lock" 2>/dev/null' EXIT
    trap 'exit 130' INT TERM
}

waiting=short
case ${1:-} in
'') ;;
--sign-in)
    waiting=long
    rm -f "$here/failed"
    ;;
--sign-out)
    read_session
    [ -z "$refresh" ] || ask /oauth/revoke "token=$refresh" || exit 1
    rm -f "$session" "$here/failed"
    exit 0
    ;;
*)
    say "I do not know $1: --sign-in or --sign-out, or nothing."
    exit 2
    ;;
esac

read_session
if lasts; then
    printf '%s\n' "$access"
    exit 0
fi
take_lock
read_session
if ! lasts; then
    renew
    case $? in
    0) ;;
    2)
        # What is left of the token is better than nothing.
        [ -n "$access" ] && [ "$ends" -gt "$(date +%s)" ] || exit 1
        ;;
    *)
        # Claude Code asks again at once when it gets nothing: not every time a browser window.
        if [ -n "$(find "$here/failed" -mmin -1 2>/dev/null)" ]; then
            say "Nobody has signed in. Run: sh '$0' --sign-in"
            exit 1
        fi
        sign_in || {
            : >"$here/failed"
            exit 1
        }
        ;;
    esac
fi
printf '%s\n' "$access"
