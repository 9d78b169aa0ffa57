#!/bin/sh
# Sets up Claude Code on this machine for the gateway at @@GATEWAY@@
#
#   curl -fsSL @@GATEWAY@@/setup | sh
#   curl -fsSL @@GATEWAY@@/setup | sh -s -- --help
#
# What is in a settings file stays there. What has to give way is put aside, and --undo brings it back.
set -eu
umask 077

GATEWAY='@@GATEWAY@@'
MODE='@@MODE@@'

usage() {
    cat <<'EOF'
Sets up Claude Code on this machine for the gateway.

  --mode MODE          how Claude Code connects:
                         key      with an API key of the gateway
                         sso      with a browser sign-in that renews itself
                         login    with Claude Code's own /login (needs root: it is set for the whole machine)
                         gateway  with an API key, in Claude Code's gateway mode
                       What your admins have chosen: @@MODE@@
  --token TOKEN        a one-time setup token, which is exchanged for a key
  --project            for the project in the current directory only
  --managed-file FILE  with --mode login: the managed settings file, if it is not where Claude Code looks on this system
  --no-install         do not install Claude Code if it is missing
  --dry-run            show the settings that would be written, and write nothing
  --undo               put everything back as it was before
  --help               show this

A key can also be given in the environment variable CCAG_KEY. Without one, and without a token, you are asked.
EOF
}

say() { printf '%s\n' "$*"; }
note() { printf 'Note: %s\n' "$*" >&2; }
fail() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

# --- Editing JSON, with whatever is here that can ----------------------------------------------------------------------------

# What is to be done, what there is, and how, come in the environment, so that no secret shows in the list of processes.
javascript() {
    cat <<'EOF'
function get(from, path) {
    for (var i = 0; i < path.length; i++) {
        if (from === null || typeof from !== 'object' || !Object.prototype.hasOwnProperty.call(from, path[i])) return undefined;
        from = from[path[i]];
    }
    return from;
}
function put(into, path, value) {
    for (var i = 0; i < path.length - 1; i++) {
        if (get(into, [path[i]]) === undefined) {
            if (value === undefined) return;
            into[path[i]] = {};
        }
        into = into[path[i]];
        if (into === null || typeof into !== 'object' || Array.isArray(into)) throw new Error('`' + path[i] + '` is not an object');
    }
    if (value === undefined) delete into[path[path.length - 1]];
    else into[path[path.length - 1]] = value;
}
function same(a, b) { return JSON.stringify(a) === JSON.stringify(b); }
function edit(todo, old, how) {
    old = old.replace(/^\uFEFF/, '');
    var settings = old.trim() === '' ? {} : JSON.parse(old);
    if (settings === null || typeof settings !== 'object' || Array.isArray(settings)) throw new Error('it is not a JSON object');
    how = JSON.parse(how);
    if (todo === 'undo') {
        how.changes.reverse().forEach(function (change) {
            if (same(get(settings, change.path), change.after)) put(settings, change.path, change.before);
        });
        how.made.forEach(function (path) {
            if (same(get(settings, path), {})) put(settings, path, undefined);
        });
        return JSON.stringify(settings, null, 2);
    }
    var record = { changes: [], made: [] };
    how.set.concat(how.aside.map(function (path) { return { path: path }; })).forEach(function (change) {
        var before = get(settings, change.path);
        if (same(before, change.value)) return;
        var parent = change.path.slice(0, -1);
        if (parent.length && get(settings, parent) === undefined) record.made.push(parent);
        put(settings, change.path, change.value);
        record.changes.push({ path: change.path, before: before, after: change.value });
    });
    return JSON.stringify(todo === 'record' ? record : settings, null, 2);
}
EOF
}

python() {
    cat <<'EOF'
import json, os, sys

def get(from_, path):
    for name in path:
        if not isinstance(from_, dict) or name not in from_:
            return None
        from_ = from_[name]
    return [from_]

def put(into, path, value):
    for name in path[:-1]:
        if name not in into:
            if value is None:
                return
            into[name] = {}
        into = into[name]
        if not isinstance(into, dict):
            raise ValueError("`%s` is not an object" % name)
    if value is None:
        into.pop(path[-1], None)
    else:
        into[path[-1]] = value[0]

def boxed(change, name):
    return [change[name]] if name in change else None

def edit(todo, old, how):
    old = old.lstrip("\ufeff")
    settings = json.loads(old) if old.strip() else {}
    if not isinstance(settings, dict):
        raise ValueError("it is not a JSON object")
    how = json.loads(how)
    if todo == "undo":
        for change in reversed(how["changes"]):
            if get(settings, change["path"]) == boxed(change, "after"):
                put(settings, change["path"], boxed(change, "before"))
        for path in how["made"]:
            if get(settings, path) == [{}]:
                put(settings, path, None)
        return settings
    record = {"changes": [], "made": []}
    for change in how["set"] + [{"path": path} for path in how["aside"]]:
        path, value = change["path"], boxed(change, "value")
        before = get(settings, path)
        if before == value:
            continue
        if path[:-1] and get(settings, path[:-1]) is None:
            record["made"].append(path[:-1])
        put(settings, path, value)
        change = {"path": path}
        if before is not None:
            change["before"] = before[0]
        if value is not None:
            change["after"] = value[0]
        record["changes"].append(change)
    return record if todo == "record" else settings

try:
    made = edit(os.environ["CCAG_TODO"], os.environ["CCAG_OLD"], os.environ["CCAG_HOW"])
except ValueError as error:
    sys.exit("%s" % error)
sys.stdout.buffer.write((json.dumps(made, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "surrogateescape"))
EOF
}

# edit TODO OLD HOW: prints the new text.
edit() {
    CCAG_TODO=$1 CCAG_OLD=$2 CCAG_HOW=$3
    export CCAG_TODO CCAG_OLD CCAG_HOW
    if command -v node >/dev/null 2>&1; then
        node -e "$(javascript)
var e = process.env;
try { console.log(edit(e.CCAG_TODO, e.CCAG_OLD, e.CCAG_HOW)); }
catch (error) { console.error(error.message); process.exit(1); }"
    elif [ "$(uname -s)" = Darwin ]; then
        osascript -l JavaScript -e "$(javascript)
function run() {
    var e = \$.NSProcessInfo.processInfo.environment;
    var text = function (name) { return ObjC.unwrap(e.objectForKey(name)); };
    return edit(text('CCAG_TODO'), text('CCAG_OLD'), text('CCAG_HOW'));
}"
    elif command -v python3 >/dev/null 2>&1; then
        python3 -c "$(python)"
    else
        return 127
    fi
}

can_edit() {
    command -v node >/dev/null 2>&1 || [ "$(uname -s)" = Darwin ] || command -v python3 >/dev/null 2>&1
}

# --- Where things are --------------------------------------------------------------------------------------------------------

places() {
    config=${CLAUDE_CONFIG_DIR:-${HOME:?HOME is not set}/.claude}
    helper=$config/ccag/token.sh
    if [ "$project" = yes ]; then
        file=$PWD/.claude/settings.local.json
        kept=$config/ccag/project-$(printf '%s' "$PWD" | cksum | cut -d ' ' -f 1)
    else
        file=$config/settings.json
        kept=$config/ccag/user
    fi
    if [ "$MODE" = login ]; then
        case $(uname -s) in
        Darwin) file='/Library/Application Support/ClaudeCode/managed-settings.json' ;;
        *) file=/etc/claude-code/managed-settings.json ;;
        esac
        [ -z "$managed_file" ] || file=$managed_file
        kept=$config/ccag/machine
    fi
}

# as_owner COMMAND…: as root, where the file is the machine's.
as_owner() {
    if [ "$MODE" != login ] || [ "$(id -u)" = 0 ] || [ -n "$managed_file" ]; then
        "$@"
    else
        command -v sudo >/dev/null 2>&1 || fail "This sets up the whole machine: run it as root."
        sudo "$@"
    fi
}

# write FILE, from standard input. A file that is there keeps its place, be it a link, and its owner.
write() {
    if [ "$MODE" = login ]; then rights=644; else rights=600; fi
    as_owner mkdir -p "$(dirname "$1")" && as_owner tee "$1" >/dev/null && as_owner chmod "$rights" "$1"
}

# --- Undoing -----------------------------------------------------------------------------------------------------------------

undo_one() {
    kept=$1
    [ -f "$kept/file" ] || return 1
    file=$(cat "$kept/file")
    MODE=$(cat "$kept/mode")
    [ ! -f "$kept/managed" ] || managed_file=$file
    if [ -f "$kept/written" ] && cmp -s "$kept/written" "$file"; then
        if [ -f "$kept/before" ]; then
            write "$file" <"$kept/before" || fail "$file cannot be written. How it was before is in $kept/before."
            say "Put back $file as it was."
        else
            as_owner rm -f "$file" || fail "$file cannot be removed."
            rmdir "$(dirname "$file")" 2>/dev/null || true
            say "Removed $file, which was not there before."
        fi
    elif [ -f "$file" ]; then
        can_edit || fail "$file has changed since, and there is neither node nor python3 to edit it with. How it was before is in $kept/before."
        text=$(edit undo "$(cat "$file")" "$(cat "$kept/record")") ||
            fail "$file has changed since and is not JSON any more. How it was before is in $kept/before."
        printf '%s\n' "$text" | write "$file" || fail "$file cannot be written. How it was before is in $kept/before."
        say "Took the gateway out of $file; what you have changed there since stays."
    fi
    rm -rf "$kept"
}

undo() {
    done_any=no
    for kept in "$config/ccag/machine" "$config/ccag/user" "$kept"; do
        if [ "$project" = yes ] && [ "${kept##*/project-}" = "$kept" ]; then continue; fi
        if undo_one "$kept"; then done_any=yes; fi
    done
    [ "$done_any" = yes ] || fail "There is nothing to undo: this script has set up nothing here."
    if [ "$project" = no ] && [ -f "$helper" ]; then
        sh "$helper" --sign-out || note "The session could not be ended at the gateway; it ends by itself."
        rm -f "$helper"
    fi
    rmdir "$config/ccag" "$config" 2>/dev/null || true
    say "Done. Claude Code itself stays installed."
}

# --- Setting up --------------------------------------------------------------------------------------------------------------

find_claude() {
    command -v claude 2>/dev/null || { [ -x "$HOME/.local/bin/claude" ] && say "$HOME/.local/bin/claude"; }
}

install_claude() {
    say "Claude Code is not here yet; installing it."
    if curl -fsSL --connect-timeout 10 https://claude.ai/install.sh 2>/dev/null | bash; then
        find_claude >/dev/null && return
    fi
    command -v npm >/dev/null 2>&1 ||
        fail "Claude Code could not be installed from claude.ai, and there is no npm. Install it (https://code.claude.com/docs/en/setup) and run this again."
    say "claude.ai does not answer; installing with npm."
    npm install --silent --global --prefix "$HOME/.local" @anthropic-ai/claude-code >&2 ||
        fail "npm could not install Claude Code. Install it (https://code.claude.com/docs/en/setup) and run this again."
}

redeem() {
    answer=$(printf '%s' "$token" | curl -sS --data-urlencode token@- -w '\n%{http_code}' "$GATEWAY/setup/redeem") ||
        fail "The gateway at $GATEWAY cannot be reached."
    status=${answer##*
}
    text=${answer%
*}
    [ "$status" = 200 ] || fail "$text"
    key=$text
}

get_key() {
    key=${CCAG_KEY:-}
    if [ -n "$token" ]; then
        redeem
    elif [ -z "$key" ]; then
        # Standard input is this script.
        if ! (: </dev/tty) 2>/dev/null; then
            fail "Say which key to use: --token with a setup token from your admins or from $GATEWAY/console/connect, or CCAG_KEY."
        fi
        printf 'API key of the gateway (make one at %s/console/keys): ' "$GATEWAY" >/dev/tty
        stty -echo </dev/tty 2>/dev/null || true
        IFS= read -r key </dev/tty || true
        stty echo </dev/tty 2>/dev/null || true
        printf '\n' >/dev/tty
    fi
    case $key in
    '' | *[!A-Za-z0-9._-]*) fail "That is not an API key of the gateway: they begin with sk-ccag-." ;;
    esac
}

# The gateway knows whom this is: tried before anything is changed. A secret that is new takes a moment to be known everywhere.
check() {
    tries=1
    while :; do
        status=$(printf 'header = "authorization: Bearer %s"\n' "$1" |
            curl -sS -o /dev/null -w '%{http_code}' --max-time 30 -K - "$GATEWAY/v1/models") ||
            fail "The gateway at $GATEWAY cannot be reached."
        if [ "$status" != 401 ] || [ "$tries" -ge 5 ]; then break; fi
        tries=$((tries + 1))
        sleep 1
    done
    case $status in
    200) say "The gateway at $GATEWAY answers and lets you in." ;;
    401 | 403) fail "The gateway does not take this key. Get another at $GATEWAY/console/keys." ;;
    *) note "The gateway answered $status when asked for its models; it may be starting. Setting up nevertheless." ;;
    esac
}

install_helper() {
    mkdir -p "$config/ccag"
    curl -fsS "$GATEWAY/setup/helper" >"$helper.new" || fail "The gateway at $GATEWAY cannot be reached."
    chmod 700 "$helper.new"
    mv "$helper.new" "$helper"
    answer=$(sh "$helper" --sign-in) || fail "You are not signed in; nothing was changed."
    check "$answer"
}

# Settings as lines of PATH<space>VALUE, where VALUE is JSON; and paths that have to give way.
wanted() {
    case $MODE in
    login)
        say 'forceLoginMethod "gateway"'
        say "forceLoginGatewayUrl \"$GATEWAY\""
        return
        ;;
    sso)
        # Claude Code gives this to a shell.
        quoted=$(printf '%s' "$helper" | sed "s/'/'\\\\''/g; s/[\\\\\"]/\\\\&/g")
        say "apiKeyHelper \"'$quoted'\""
        say 'env.CLAUDE_CODE_API_KEY_HELPER_TTL_MS "300000"'
        ;;
    key | gateway) say "env.ANTHROPIC_AUTH_TOKEN \"$key\"" ;;
    esac
    say "env.ANTHROPIC_BASE_URL \"$GATEWAY\""
    if [ "$MODE" = gateway ]; then say 'env.CLAUDE_CODE_USE_GATEWAY "1"'; fi
    cat <<'EOF'
@@EXTRAS@@
EOF
}

in_the_way() {
    if [ "$MODE" = login ]; then return; fi
    for name in ANTHROPIC_API_KEY CLAUDE_CODE_USE_BEDROCK CLAUDE_CODE_USE_VERTEX CLAUDE_CODE_USE_FOUNDRY \
        CLAUDE_CODE_USE_MANTLE ANTHROPIC_BEDROCK_BASE_URL CLAUDE_CODE_SKIP_BEDROCK_AUTH CLAUDE_CODE_OAUTH_TOKEN; do
        say "env.$name"
    done
    if [ "$MODE" != gateway ]; then say env.CLAUDE_CODE_USE_GATEWAY; fi
    if [ "$MODE" = sso ]; then say env.ANTHROPIC_AUTH_TOKEN; else say apiKeyHelper; fi
}

# The lines above, as JSON.
plan() {
    { wanted && in_the_way; } | awk '
        NF == 0 { next }
        {
            value = substr($0, length($1) + 2)
            dot = index($1, ".")
            path = dot ? "[\"" substr($1, 1, dot - 1) "\",\"" substr($1, dot + 1) "\"]" : "[\"" $1 "\"]"
        }
        NF > 1 { set = set (set ? "," : "") "{\"path\":" path ",\"value\":" value "}"; next }
        { aside = aside (aside ? "," : "") path }
        END { print "{\"set\":[" set "],\"aside\":[" aside "]}" }'
}

# What there is can be edited: found out before a token is used up.
look_first() {
    old=
    if [ -f "$file" ]; then
        old=$(as_owner cat "$file") || fail "$file cannot be read."
    fi
    how=$(plan)
    if ! can_edit; then
        note "There is neither node nor python3 to edit JSON with. Put this into $file yourself:"
        wanted | sed 's/^/  /; s/ /: /2' >&2
        exit 1
    fi
    new=$(edit merge "$old" "$how") ||
        fail "$file is not what Claude Code takes as settings (see above); mend it, and run this again. Nothing was changed."
}

settle() {
    look_first
    if [ "$dry_run" = yes ]; then
        say "$file would be:"
        printf '%s\n' "$new" | sed 's/sk-ccag-[A-Za-z0-9_-]*/sk-ccag-…/'
        return
    fi
    case $(edit record "$old" "$how") in
    *'"changes": []'*)
        say "$file is as it should be already."
        return
        ;;
    esac
    if [ -f "$kept/written" ] && { [ ! -f "$file" ] || ! cmp -s "$kept/written" "$file"; }; then
        # Somebody has changed it since. What was there before is not what would have to come back.
        before=$(edit undo "$old" "$(cat "$kept/record")") || before=$old
        rm -rf "$kept"
        mkdir -p "$kept"
        printf '%s\n' "$before" >"$kept/before"
        old=$before
    elif [ -f "$kept/written" ]; then
        # Set up once more: what comes back is what was there before the first time.
        old=
        [ ! -f "$kept/before" ] || old=$(cat "$kept/before")
        new=$(edit merge "$old" "$how")
    else
        mkdir -p "$kept"
        [ ! -f "$file" ] || as_owner cat "$file" >"$kept/before"
    fi
    edit record "$old" "$how" >"$kept/record"
    printf '%s' "$file" >"$kept/file"
    printf '%s' "$MODE" >"$kept/mode"
    [ -z "$managed_file" ] || : >"$kept/managed"
    printf '%s\n' "$new" >"$kept/written"
    write "$file" <"$kept/written" || fail "$file cannot be written."
    say "Wrote $file:"
    wanted | sed 's/ .*//; s/^env\.//; s/^/  set       /'
    if grep -q '"before"' "$kept/record"; then say "What stood there instead is kept, and comes back with --undo."; fi
}

look_around() {
    for name in ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN ANTHROPIC_BASE_URL CLAUDE_CODE_USE_BEDROCK CLAUDE_CODE_USE_VERTEX \
        CLAUDE_CODE_USE_FOUNDRY; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || note "$name is set in your shell. Take it out of your profile, or Claude Code may not use the gateway."
    done
    for other in "$PWD/.claude/settings.json" "$PWD/.claude/settings.local.json"; do
        if [ "$other" != "$file" ] && [ -f "$other" ] && grep -q 'ANTHROPIC_BASE_URL\|CLAUDE_CODE_USE_BEDROCK\|apiKeyHelper' "$other"; then
            note "$other also says where Claude Code connects to, and counts for this project."
        fi
    done
}

main() {
    token= managed_file= project=no dry_run=no install=yes undoing=no key=
    while [ $# -gt 0 ]; do
        case $1 in
        --mode | --token | --managed-file)
            [ $# -gt 1 ] || fail "$1 needs a value; see --help."
            case $1 in
            --mode) MODE=$2 ;;
            --token) token=$2 ;;
            --managed-file) managed_file=$2 ;;
            esac
            shift
            ;;
        --project) project=yes ;;
        --no-install) install=no ;;
        --dry-run) dry_run=yes ;;
        --undo) undoing=yes ;;
        --help) usage && exit 0 ;;
        *) fail "I do not know $1; see --help." ;;
        esac
        shift
    done
    # A token is good for a key.
    if [ -n "$token" ] && [ "$MODE" != gateway ]; then MODE=key; fi
    case $MODE in
    key | sso | login | gateway) ;;
    *) fail "There is no mode $MODE; see --help." ;;
    esac
    [ "$project" = no ] || [ "$MODE" != login ] || fail "/login is set up for the whole machine; leave --project out."
    places
    if [ "$undoing" = yes ]; then
        undo
        return
    fi
    command -v curl >/dev/null 2>&1 || fail "This needs curl."
    if [ "$install" = yes ] && [ "$dry_run" = no ] && ! find_claude >/dev/null; then install_claude; fi
    key=sk-ccag-
    look_first
    if [ "$dry_run" = no ]; then
        case $MODE in
        key | gateway) get_key && check "$key" ;;
        sso) install_helper ;;
        esac
    fi
    settle
    [ "$dry_run" = no ] || return 0
    look_around
    case $MODE in
    login) say "Done. Start claude and enter /login." ;;
    *) say "Done. Start claude." ;;
    esac
    say "To put everything back: curl -fsSL $GATEWAY/setup | sh -s -- --undo"
}

main "$@"
