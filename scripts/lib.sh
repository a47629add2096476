# shellcheck shell=bash
# What the scripts share: where things lie, the state of a cluster, starting and stopping its processes.
# Sourced; needs bash and Linux's /proc. Nothing here passes a secret on a command line.

# shellcheck disable=SC2034,SC2317  # what is set and defined here is used by the scripts, and called through within()
set -euo pipefail
umask 077

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Everything a cluster makes lies here. Another directory is another cluster.
CARILLON_HOME=${CARILLON_HOME:-$REPO/.carillon}
case $CARILLON_HOME in /*) ;; *) CARILLON_HOME=$PWD/$CARILLON_HOME ;; esac
LOGS=$CARILLON_HOME/logs
NODES=$CARILLON_HOME/nodes
ENV_FILE=$CARILLON_HOME/env
SECRETS=$CARILLON_HOME/secrets
JAR=$REPO/node/target/carillon-node.jar
MAX_NODES=9

# shellcheck source=scripts/jdk25.sh
. "$REPO/scripts/jdk25.sh"

say() { printf '%s\n' "$*"; }
step() { printf '  %-12s %s\n' "$1" "$2"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}
usage_error() {
    printf '%s: %s (see --help)\n' "${0##*/}" "$*" >&2
    exit 2
}
# Prints the comment block at the top of the script: each script's --help.
help() {
    sed -n '2,/^[^#]/{/^# shellcheck/d;s/^# \{0,1\}//p;}' "$0"
    exit 0
}
have() { command -v "$1" >/dev/null 2>&1; }

# A path as a person would type it here.
shown() { case $1 in "$PWD"/*) printf '%s' "${1#"$PWD"/}" ;; *) printf '%s' "$1" ;; esac; }
# A script as a person would call it here, for this cluster.
script() {
    local home=
    [ "$CARILLON_HOME" = "$REPO/.carillon" ] || home="CARILLON_HOME=$(shown "$CARILLON_HOME") "
    printf '%s%s' "$home" "$(shown "$REPO/scripts/$1")"
}

# One command at a time changes a cluster. The lock is let go when the script ends: processes started here do not inherit it.
lock() {
    make_home
    exec 9>"$CARILLON_HOME/lock"
    flock -w 300 9 || die "another command is still changing $(shown "$CARILLON_HOME")"
}
make_home() {
    mkdir -p "$CARILLON_HOME" "$LOGS" "$NODES"
    chmod 0700 "$CARILLON_HOME"
}

# --- programs -------------------------------------------------------------------------------------------------------

may_install() { [ "$(id -u)" = 0 ] && have apt-get; }

# Installs Debian packages without starting the services they bring: those would listen where nobody asked them to.
apt_install() {
    local policy=/usr/sbin/policy-rc.d mine=
    step packages "installing $*"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 0755 "$policy"
        mine=1
    fi
    local code=0
    {
        (umask 022 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@") ||
            (umask 022 && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
    } </dev/null >>"$LOGS/packages.log" 2>&1 9>&- || code=$?
    [ -z "$mine" ] || rm -f "$policy"
    return "$code"
}

need_java() {
    JAVA_HOME=$(jdk25)
    [ -n "$JAVA_HOME" ] || die "no JDK 25 on this machine; install one (under /usr/lib/jvm, say) or point JAVA_HOME at it"
    export JAVA_HOME
}

find_nginx() {
    if have nginx; then command -v nginx; elif [ -x /usr/sbin/nginx ]; then echo /usr/sbin/nginx; fi
}
need_nginx() {
    NGINX=$(find_nginx)
    if [ -z "$NGINX" ] && may_install; then
        apt_install nginx || true
        NGINX=$(find_nginx)
    fi
    [ -n "$NGINX" ] || die "nginx is missing and may not be installed here; install nginx and try again"
}

# The machine's Redis, else the distribution's package, else the binary that the built node brings.
need_redis() {
    REDIS=$(command -v redis-server || true)
    if [ -z "$REDIS" ] && may_install; then
        apt_install redis-server || true
        hash -r
        REDIS=$(command -v redis-server || true)
    fi
    if [ -z "$REDIS" ]; then
        bundled_redis
        step redis "no redis-server on this machine: using the binary bundled with the node"
    fi
}
bundled_redis() {
    local arch dir=$CARILLON_HOME/redis/bundled
    case $(uname -m) in
        x86_64) arch=linux-amd64 ;;
        aarch64) arch=linux-arm64 ;;
        *) die "redis-server is missing and the bundled one is not for $(uname -m); install redis-server and try again" ;;
    esac
    mkdir -p "$dir"
    REDIS=$(find "$dir" -name "redis-server-*-$arch" -print -quit)
    if [ -z "$REDIS" ]; then
        (cd "$dir" && "$JAVA_HOME/bin/jar" xf "$JAR" BOOT-INF/lib && "$JAVA_HOME/bin/jar" xf BOOT-INF/lib/embedded-redis-*.jar && rm -rf BOOT-INF META-INF redis)
        find "$dir" -name 'redis-server-*' ! -name "*-$arch" -delete
        REDIS=$(find "$dir" -name "redis-server-*-$arch" -print -quit)
        [ -n "$REDIS" ] || die "redis-server is missing and the node's jar brings none; install redis-server and try again"
        chmod 0700 "$REDIS"
    fi
}

# How a small node's JVM is run: short young collections, and memory that the start took and nobody needs is given back.
NODE_JVM=(-XX:+UseSerialGC -Xmn16m -Xms24m -XX:MinHeapFreeRatio=20 -XX:MaxHeapFreeRatio=40
    -XX:TrimNativeHeapInterval=5000 -XX:+UseCompactObjectHeaders --enable-native-access=ALL-UNNAMED)
# Threads of a JVM share two of glibc's heaps: with one each, more stays with the process that nobody uses.
export MALLOC_ARENA_MAX=2

# newer <jar> <path…>: is the jar missing, or a source newer? A reproducible jar is dated by its build, so its change
# time is what tells when it was written.
newer() {
    local jar=$1
    shift
    [ ! -f "$jar" ] || [ -n "$(find "$@" -newermt "@$(stat -c %Z "$jar")" -type f -print -quit 2>/dev/null)" ]
}

# Builds the node where its jar is missing or older than a source.
build() {
    need_java
    newer "$JAR" "$REPO/pom.xml" "$REPO/node/pom.xml" "$REPO/shared-model/pom.xml" "$REPO/node/src/main" "$REPO/shared-model/src/main" ||
        return 0
    step build "compiling the node (a few minutes the first time)"
    (umask 022 && "$REPO/mvnw" -q -pl node -am package -DskipTests -Dspotless.check.skip=true) </dev/null >"$LOGS/build.log" 2>&1 9>&- || {
        tail -n 30 "$LOGS/build.log" >&2
        die "the build failed; all of it is in $(shown "$LOGS")/build.log"
    }
}

# Unpacks the jar and lets one node start, serve clients (Train.java) and stop, so that the JVM writes down the classes and
# code it needed: with that cache (JEP 483, 514, 515) a node starts in less than half the time and serves its first clients
# faster. Kept beside the jar until the next build. What the cache needs is the same JVM and flags; a JVM that cannot use it
# runs without.
train() {
    local sum dir port management pid key secret
    sum=$(cksum <"$JAR")
    TRAINED=$REPO/node/target/app/${sum%% *}
    [ ! -f "$TRAINED/carillon-node.jar" ] || return 0
    step build "writing the node's start cache (half a minute)"
    dir=$(mktemp -d "$REPO/node/target/app.XXXXXX")
    chmod 0755 "$dir"
    "$JAVA_HOME/bin/java" -Djarmode=tools -jar "$JAR" extract --destination "$dir/app" >/dev/null 2>"$LOGS/train.log" ||
        die "the node's jar does not unpack; see $(shown "$LOGS")/train.log"
    port=$(free_port)
    management=$(free_port)
    # Alone, with the Redis it brings, and secrets that nobody else has.
    key=$(random)
    secret=$(random)
    (
        unset CARILLON_REDIS_URL
        cd "$dir"
        CARILLON_API_KEY=$key CARILLON_JWT_SECRET=$secret CARILLON_HOST=127.0.0.1 CARILLON_PORT=$port \
            CARILLON_MANAGEMENT_PORT=$management SPRING_PROFILES_ACTIVE=local \
            exec "$JAVA_HOME/bin/java" "${NODE_JVM[@]}" -Xmx256m -XX:AOTCacheOutput=app/carillon-node.aot -jar app/carillon-node.jar
    ) </dev/null >>"$LOGS/train.log" 2>&1 9>&- &
    pid=$!
    trained() { ! kill -0 "$pid" 2>/dev/null || { http "$management" /actuator/health/readiness && [ "$HTTP_STATUS" = 200 ]; }; }
    within 120 trained || true
    CARILLON_API_KEY=$key CARILLON_JWT_SECRET=$secret "$JAVA_HOME/bin/java" -XX:+UseSerialGC "$REPO/scripts/Train.java" \
        "http://127.0.0.1:$port" </dev/null >>"$LOGS/train.log" 2>&1 9>&- ||
        step build "no clients were served for the start cache; see $(shown "$LOGS")/train.log"
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    [ -f "$dir/app/carillon-node.aot" ] || step build "no start cache came of it, nodes start without; see $(shown "$LOGS")/train.log"
    mkdir -p "${TRAINED%/*}"
    find "${TRAINED%/*}" -mindepth 1 -maxdepth 1 ! -path "$TRAINED" -exec rm -rf {} + # of older builds
    # Another script may have been faster.
    mv -T "$dir/app" "$TRAINED" 2>/dev/null || true
    rm -rf "$dir"
}

# A running JVM reads its jars all the time, so nodes run from a copy that no build touches. Sets RUN_NODE, what to run.
copy_jar() {
    train
    APP=$CARILLON_HOME/app/${TRAINED##*/}
    if [ ! -f "$APP/carillon-node.jar" ]; then
        mkdir -p "${APP%/*}"
        rm -rf "$APP.part"
        # Links to the same files where that is possible: a build deletes names, and never writes into the files.
        cp -rpl "$TRAINED" "$APP.part" 2>/dev/null || { rm -rf "$APP.part" && cp -rp "$TRAINED" "$APP.part"; }
        mv -T "$APP.part" "$APP"
    fi
    RUN_NODE=(-jar "$APP/carillon-node.jar")
    [ ! -f "$APP/carillon-node.aot" ] || RUN_NODE=(-XX:AOTCache="$APP/carillon-node.aot" "${RUN_NODE[@]}")
}

# --- secrets --------------------------------------------------------------------------------------------------------

random() {
    if have openssl; then openssl rand -hex 32; else head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; fi
}
make_secrets() {
    [ ! -s "$SECRETS" ] || return 0
    step secrets "making this cluster's secrets: $(shown "$SECRETS")"
    {
        printf 'CARILLON_API_KEY=%s\n' "$(random)"
        printf 'CARILLON_JWT_SECRET=%s\n' "$(random)"
        printf 'CARILLON_REDIS_PASSWORD=%s\n' "$(random)"
    } >"$SECRETS.part"
    chmod 0600 "$SECRETS.part"
    mv "$SECRETS.part" "$SECRETS"
}
# value <file> <KEY>: the value of a KEY=value line; nothing where there is none.
value() {
    local line
    [ -f "$1" ] || return 0
    while IFS= read -r line; do
        case $line in "$2="*) printf '%s' "${line#*=}" ;; esac
    done <"$1"
}
secret() { value "$SECRETS" "$1"; }

# --- processes ------------------------------------------------------------------------------------------------------

# A process is remembered as "pid start-time", so that a recycled pid is never taken for ours.
start_time() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    stat=${stat##*) }
    local fields
    read -r -a fields <<<"$stat"
    [ "${fields[0]}" != Z ] && [ "${fields[0]}" != X ] && printf '%s' "${fields[19]}"
}
# remember <file> <pid>
remember() { printf '%s %s\n' "$2" "$(start_time "$2")" >"$1"; }
# pid_of <file>: the process's id if it runs; fails where it does not.
pid_of() {
    local pid start
    { read -r pid start <"$1"; } 2>/dev/null || return 1
    [ "$(start_time "$pid")" = "$start" ] && printf '%s' "$pid"
}
alive() { pid_of "$1" >/dev/null; }

# within <seconds> <command…>: polls until the command succeeds.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}
gone() { ! alive "$1"; }

# stop_process <file> <seconds>: SIGTERM, and SIGKILL where that does not help in time (then it fails).
stop_process() {
    local pid
    pid=$(pid_of "$1") || { rm -f "$1"; return 0; }
    kill -TERM "$pid" 2>/dev/null || true
    if within "$2" gone "$1"; then
        rm -f "$1"
        return 0
    fi
    kill -KILL "$pid" 2>/dev/null || true
    within 5 gone "$1" || true
    rm -f "$1"
    return 1
}

# children_left <file>: processes of the session that a remembered process led, where that one has died without them.
children_left() {
    local leader start stat fields found=1
    { read -r leader start <"$1"; } 2>/dev/null || return 1
    # Its id used by another process now: then nothing of the session is left, or it could not be.
    if read -r stat 2>/dev/null <"/proc/$leader/stat"; then
        read -r -a fields <<<"${stat##*) }"
        [ "${fields[19]}" = "$start" ] || return 1
    fi
    for stat in /proc/[0-9]*/stat; do
        { read -r stat <"$stat"; } 2>/dev/null || continue
        read -r -a fields <<<"${stat##*) }"
        if [ "${fields[3]}" = "$leader" ] && [ "${stat%% *}" != "$leader" ] && [ "${fields[0]}" != Z ]; then
            printf '%s\n' "${stat%% *}"
            found=0
        fi
    done
    return "$found"
}
no_children_left() { ! children_left "$1" >/dev/null; }
end_children() {
    local pids
    if alive "$1"; then return 0; fi
    mapfile -t pids < <(children_left "$1")
    [ ${#pids[@]} -gt 0 ] || return 0
    kill -TERM "${pids[@]}" 2>/dev/null || true
    within 5 no_children_left "$1" || kill -KILL "${pids[@]}" 2>/dev/null || true
}

listening() {
    local hex
    printf -v hex ':%04X' "$1"
    awk -v p="$hex" '$4 == "0A" && substr($2, length($2) - 4) == p { found = 1 } END { exit !found }' /proc/net/tcp /proc/net/tcp6 2>/dev/null
}
# A port below the ephemeral range that nobody listens on and no node of this cluster has been given.
free_port() {
    local port try
    for ((try = 0; try < 200; try++)); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
        if ! listening "$port" && ! grep -qsw "$port" "$NODES"/*.ports; then
            printf '%s' "$port"
            return
        fi
    done
    die "found no free port"
}

# http <port> <path> [header…]: HTTP_STATUS and HTTP_BODY of a GET on loopback, or of what HTTP_METHOD names, without a
# body. Headers stay inside this shell.
http() {
    local port=$1 path=$2 line fd header
    shift 2
    HTTP_STATUS=000 HTTP_BODY=
    # A peer that hangs up early is an answer that did not come, not the end of the script.
    trap '' PIPE
    { exec {fd}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    {
        printf '%s %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\nContent-Length: 0\r\n' "${HTTP_METHOD:-GET}" "$path" "$port"
        for header in "$@"; do printf '%s\r\n' "$header"; done
        printf '\r\n'
    } 1>&"$fd" 2>/dev/null || true
    if IFS= read -r -t 5 line <&"$fd"; then
        line=${line#* }
        HTTP_STATUS=${line%% *}
        while IFS= read -r -t 5 line <&"$fd" && [ "${line%$'\r'}" != "" ]; do :; done
        IFS= read -r -t 5 -d '' HTTP_BODY <&"$fd" || true
    fi
    exec {fd}>&-
    trap - PIPE
}

# round_trip <port> [token]: a WebSocket through the front door, one ping there and its pong back.
round_trip() {
    local LC_ALL=C port=$1 token=${2:-} line fd part deadline identity='?user_id=carillon-up' ok=1
    { exec {fd}<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || return 1
    trap '' PIPE
    {
        [ -z "$token" ] || identity=
        printf 'GET /api/ws/connect%s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' "$identity" "$port"
        printf 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: Y2FyaWxsb24tcHJvYmUhIQ==\r\n'
        [ -z "$token" ] || printf 'Authorization: Bearer %s\r\n' "$token"
        printf '\r\n'
    } 1>&"$fd" 2>/dev/null || true
    if IFS= read -r -t 5 line <&"$fd" && [[ $line == *' 101 '* ]]; then
        while IFS= read -r -t 5 line <&"$fd" && [ "${line%$'\r'}" != "" ]; do :; done
        # A text frame of 15 bytes and, at the end, a close frame of 1000; the masking key is zero.
        printf '\x81\x8f\0\0\0\0{"type":"ping"}' 1>&"$fd" 2>/dev/null || true
        deadline=$((SECONDS + 5))
        while [ "$SECONDS" -lt "$deadline" ] && IFS= read -r -t 5 -d '}' part <&"$fd"; do
            if [[ $part == *'"pong"'* ]]; then
                ok=0
                break
            fi
        done 2>/dev/null
        printf '\x88\x82\0\0\0\0\x03\xe8' 1>&"$fd" 2>/dev/null || true
    fi
    exec {fd}>&-
    trap - PIPE
    return "$ok"
}

# --- Redis ----------------------------------------------------------------------------------------------------------

redis_port() { cat "$CARILLON_HOME/redis/port" 2>/dev/null; }
redis_url() { printf 'redis://:%s@127.0.0.1:%s' "$(secret CARILLON_REDIS_PASSWORD)" "$(redis_port)"; }

# redis_ping: does Redis answer with this cluster's password?
redis_ping() {
    local fd line ok=1
    { exec {fd}<>"/dev/tcp/127.0.0.1/$(redis_port)"; } 2>/dev/null || return 1
    printf 'AUTH %s\r\nPING\r\n' "$(secret CARILLON_REDIS_PASSWORD)" 1>&"$fd" 2>/dev/null || true
    if IFS= read -r -t 2 line <&"$fd" && [[ $line == +OK* ]] && IFS= read -r -t 2 line <&"$fd" && [[ $line == +PONG* ]]; then ok=0; fi
    exec {fd}>&-
    return "$ok"
}

start_redis() {
    local dir=$CARILLON_HOME/redis port
    if alive "$dir/process" && redis_ping; then
        step redis "runs on 127.0.0.1:$(redis_port)"
        return
    fi
    need_redis
    mkdir -p "$dir/data"
    port=$(redis_port || true)
    if [ -f "$ENV_FILE" ] && listening "$port"; then die "port $port, where the nodes look for Redis, is taken by another program"; fi
    if [ -z "$port" ] || listening "$port"; then port=$(free_port); fi
    printf '%s\n' "$port" >"$dir/port"
    cat >"$dir/redis.conf" <<CONF
bind 127.0.0.1
port $port
protected-mode yes
requirepass $(secret CARILLON_REDIS_PASSWORD)
dir "$dir/data"
pidfile "$dir/redis.pid"
logfile "$LOGS/redis.log"
daemonize no
tcp-backlog 511
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
client-output-buffer-limit pubsub 256mb 64mb 60
CONF
    setsid "$REDIS" "$dir/redis.conf" </dev/null >>"$LOGS/redis.log" 2>&1 9>&- &
    remember "$dir/process" $!
    redis_up() { redis_ping || gone "$dir/process"; }
    if ! within 30 redis_up || gone "$dir/process"; then
        tail -n 20 "$LOGS/redis.log" >&2
        die "Redis did not start; see $(shown "$LOGS")/redis.log"
    fi
    step redis "started on 127.0.0.1:$port"
}

# --- nodes ----------------------------------------------------------------------------------------------------------
# Node N is nodes/N.ports ("port management-port", kept while the cluster is known), nodes/N.process (while it was last
# seen running) and nodes/N.exit (how it ended, written by the shell that waits for it).

node_numbers() {
    local n
    for ((n = 1; n <= MAX_NODES; n++)); do
        [ ! -f "$NODES/$n.ports" ] || printf '%s\n' "$n"
    done
}
node_port() { local port; read -r port _ <"$NODES/$1.ports" && printf '%s' "$port"; }
node_management() { local port; read -r _ port <"$NODES/$1.ports" && printf '%s' "$port"; }
node_alive() { alive "$NODES/$1.process"; }
node_ready() {
    node_alive "$1" && http "$(node_management "$1")" /actuator/health/readiness && [ "$HTTP_STATUS" = 200 ]
}
# ready, starting (or not ready any more), or down
node_state() { if node_ready "$1"; then echo ready; elif node_alive "$1"; then echo 'not ready'; else echo down; fi; }
# The last process id of a node, of a node that is down too: it then names nothing.
node_pid() { local pid; { read -r pid _ <"$NODES/$1.process"; } 2>/dev/null && printf '%s' "$pid"; }

launch_node() {
    local n=$1 port management
    if [ -f "$NODES/$n.ports" ]; then
        port=$(node_port "$n") management=$(node_management "$n")
    fi
    if [ -z "${port:-}" ] || listening "$port" || listening "$management"; then
        rm -f "$NODES/$n.ports"
        port=$(free_port)
        printf '%s\n' "$port" >"$NODES/$n.ports"
        management=$(free_port)
        printf '%s %s\n' "$port" "$management" >"$NODES/$n.ports"
    fi
    rm -f "$NODES/$n.exit" "$NODES/$n.process"
    (
        export CARILLON_HOST=127.0.0.1 CARILLON_PORT=$port CARILLON_MANAGEMENT_PORT=$management SPRING_PROFILES_ACTIVE=local
        CARILLON_REDIS_URL=$(redis_url) CARILLON_API_KEY=$(secret CARILLON_API_KEY) CARILLON_JWT_SECRET=$(secret CARILLON_JWT_SECRET)
        export CARILLON_REDIS_URL CARILLON_API_KEY CARILLON_JWT_SECRET
        # CARILLON_JWKS_URL is passed on as it is, if it is set.
        cd "$CARILLON_HOME"
        # A shell of its own remembers the node, and waits for it, so that its exit code is known to whoever asks later.
        # shellcheck disable=SC2016
        exec setsid sh -c '
            node=$1
            shift
            "$@" &
            pid=$!
            read -r stat <"/proc/$pid/stat"
            set -- ${stat##*) }
            echo "$pid ${20}" >"$node.process.part"
            mv "$node.process.part" "$node.process"
            code=0
            wait "$pid" || code=$?
            echo "$code" >"$node.exit"
        ' carillon-node "$NODES/$n" \
            "$JAVA_HOME/bin/java" "${NODE_JVM[@]}" -Xmx256m -XX:+ExitOnOutOfMemoryError "${RUN_NODE[@]}"
    ) </dev/null >>"$LOGS/node-$n.log" 2>&1 9>&- &
    disown
    within 10 test -s "$NODES/$n.process" || die "node $n did not start"
}

await_node() {
    local n=$1
    ready_or_gone() { node_ready "$n" || ! node_alive "$n"; }
    if ! within 90 ready_or_gone || ! node_alive "$n"; then
        tail -n 20 "$LOGS/node-$n.log" >&2
        die "node $n did not become ready; see $(shown "$LOGS")/node-$n.log"
    fi
    step "node $n" "ready on 127.0.0.1:$(node_port "$n"), management 127.0.0.1:$(node_management "$n"), process $(node_pid "$n")"
}

# node_id <N>: the id by which the cluster knows a node, asked of the node itself.
node_id() {
    local port id
    port=$(node_port "$1")
    http "$port" /api/ws/nodes "X-API-Key: $(secret CARILLON_API_KEY)" && [ "$HTTP_STATUS" = 200 ] || return 1
    # One object a line, without the objects inside.
    # shellcheck disable=SC2001
    id=$(sed 's/"[a-z]*":{[^{}]*},\{0,1\}//g' <<<"$HTTP_BODY" | grep -o '{[^{}]*}' | grep -E "\"port\":${port}[,}]" |
        sed -n 's/.*"id":"\([^"]*\)".*/\1/p' | tail -n 1)
    [ -n "$id" ] && printf '%s' "$id"
}

# ask_to_drain <N>: the HTTP call, as an operator makes it.
ask_to_drain() {
    local id HTTP_METHOD
    id=$(node_id "$1") || return 1
    HTTP_METHOD=POST
    http "$(node_port "$1")" "/api/ws/nodes/$id/drain" "X-API-Key: $(secret CARILLON_API_KEY)" && [ "$HTTP_STATUS" = 202 ]
}

# drain_node <N>: asks it to drain, or tells it by a signal where it cannot be asked; it is done when it has exited with 0.
drain_node() {
    local n=$1 pid code
    pid=$(pid_of "$NODES/$n.process") || { step "node $n" "is down already"; return 0; }
    step "node $n" "draining"
    ask_to_drain "$n" || kill -TERM "$pid"
    if ! within 90 gone "$NODES/$n.process"; then
        kill -KILL "$pid" 2>/dev/null || true
        within 5 gone "$NODES/$n.process" || true
        step "node $n" "did not end within 90 s and was killed"
        return 1
    fi
    within 5 test -s "$NODES/$n.exit" || true
    code=$(cat "$NODES/$n.exit" 2>/dev/null || echo unknown)
    step "node $n" "ended with exit code $code"
    [ "$code" = 0 ]
}

# --- the front door -------------------------------------------------------------------------------------------------

front_port() { cat "$CARILLON_HOME/nginx/port" 2>/dev/null; }

# Writes the upstream's servers; a node that is down is listed as such. Succeeds where the file changed.
render_upstream() {
    local n file=$CARILLON_HOME/nginx/upstream.conf new down
    new=$(for n in $(node_numbers); do
        down=
        node_alive "$n" || down=' down'
        printf 'server 127.0.0.1:%s max_fails=0%s;\n' "$(node_port "$n")" "$down"
    done)
    [ "$new" != "$(cat "$file" 2>/dev/null)" ] || return 1
    printf '%s\n' "$new" >"$file.part"
    mv "$file.part" "$file"
}

# Renders nginx/nginx.conf.template for this machine: descriptors as many as may be had, workers enough for 10,000 clients.
render_nginx() {
    local dir=$CARILLON_HOME/nginx port=$1 nofile workers connections user=
    mkdir -p "$dir"
    nofile=$(ulimit -n)
    [ "$nofile" != unlimited ] && [ "$nofile" -le 65536 ] || nofile=65536
    connections=$((nofile - 256))
    [ "$connections" -le 16384 ] || connections=16384
    [ "$connections" -ge 256 ] || die "only $nofile descriptors a process are allowed here; raise the limit (ulimit -n)"
    workers=$(nproc 2>/dev/null || echo 2)
    [ "$workers" -ge 4 ] || workers=4
    [ "$workers" -le 8 ] || workers=8
    [ "$(id -u)" != 0 ] || user="user nobody $(id -gn nobody);"
    sed -e "s|@USER@|$user|" -e "s|@ROOT@|$dir|" -e "s|@LOGS@|$LOGS|" -e "s|@LISTEN@|127.0.0.1:$port|" -e "s|@WORKERS@|$workers|" \
        -e "s|@NOFILE@|$nofile|" -e "s|@CONNECTIONS@|$connections|" -e "s|@UPSTREAM@|$dir/upstream.conf|" \
        "$REPO/nginx/nginx.conf.template" >"$dir/nginx.conf"
}
nginx_run() { "$NGINX" -p "$CARILLON_HOME/nginx" -e "$LOGS/nginx-error.log" -c "$CARILLON_HOME/nginx/nginx.conf" "$@"; }

# Takes as many descriptors as the limits allow: the hard limit is raised where we may, the soft one always.
raise_nofile() {
    local hard
    hard=$(ulimit -Hn)
    if [ "$hard" != unlimited ] && [ "$hard" -lt 65536 ]; then
        ulimit -Hn 65536 2>/dev/null || true
        hard=$(ulimit -Hn)
    fi
    [ "$hard" != unlimited ] && [ "$hard" -le 65536 ] || hard=65536
    ulimit -Sn "$hard" 2>/dev/null || true
}

start_nginx() {
    local dir=$CARILLON_HOME/nginx port=$1
    if alive "$dir/process"; then
        [ "$port" = "$(front_port)" ] || die "the front door is open on port $(front_port); run scripts/down first to move it"
        if render_upstream; then reload_nginx; fi
        step nginx "runs on 127.0.0.1:$port"
        return
    fi
    need_nginx
    # Workers outlive a master that was killed, and hold the port.
    end_children "$dir/process"
    ! listening "$port" || die "port $port is taken by another program; choose one with --port"
    mkdir -p "$dir"
    printf '%s\n' "$port" >"$dir/port"
    render_upstream || true
    render_nginx "$port"
    nginx_run -t -q || die "nginx does not accept its configuration, $(shown "$dir")/nginx.conf"
    (nginx_exec) &
    disown
    remember "$dir/process" $!
    nginx_up() { listening "$port" || gone "$dir/process"; }
    if ! within 10 nginx_up || gone "$dir/process"; then
        tail -n 20 "$LOGS/nginx-error.log" >&2
        die "nginx did not start; see $(shown "$LOGS")/nginx-error.log"
    fi
    step nginx "started on 127.0.0.1:$port"
}
nginx_exec() {
    # shellcheck disable=SC2094
    exec setsid "$NGINX" -p "$CARILLON_HOME/nginx" -e "$LOGS/nginx-error.log" -c "$CARILLON_HOME/nginx/nginx.conf" \
        </dev/null >>"$LOGS/nginx-error.log" 2>&1 9>&-
}

# Old workers live on until their last session has gone, so a reload ends none.
reload_nginx() {
    local pid
    need_nginx
    pid=$(pid_of "$CARILLON_HOME/nginx/process") || return 0
    nginx_run -t -q || die "nginx does not accept its configuration"
    kill -HUP "$pid"
}

# Brings what depends on the nodes up to date: the upstream of nginx, and the env file.
nodes_changed() {
    if [ -f "$CARILLON_HOME/nginx/nginx.conf" ] && render_upstream; then reload_nginx; fi
    write_env
}

joined() { local IFS=,; printf '%s' "$*"; }
write_env() {
    local n urls=() management=() pids=()
    for n in $(node_numbers); do
        urls+=("http://127.0.0.1:$(node_port "$n")")
        management+=("http://127.0.0.1:$(node_management "$n")")
        pids+=("$(node_pid "$n")")
    done
    {
        printf 'CARILLON_URL=http://127.0.0.1:%s\n' "$(front_port)"
        printf 'CARILLON_NODE_URLS=%s\n' "$(joined "${urls[@]}")"
        printf 'CARILLON_MANAGEMENT_URLS=%s\n' "$(joined "${management[@]}")"
        printf 'CARILLON_REDIS_URL=%s\n' "$(redis_url)"
        printf 'CARILLON_API_KEY=%s\n' "$(secret CARILLON_API_KEY)"
        printf 'CARILLON_JWT_SECRET=%s\n' "$(secret CARILLON_JWT_SECRET)"
        printf 'CARILLON_NODE_PIDS=%s\n' "$(joined "${pids[@]}")"
    } >"$ENV_FILE.part"
    chmod 0600 "$ENV_FILE.part"
    mv "$ENV_FILE.part" "$ENV_FILE"
}
need_cluster() { [ -f "$ENV_FILE" ] || die "no cluster is up here; start one with $(script up)"; }
