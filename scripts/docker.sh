# shellcheck shell=bash
# The cluster with Docker Compose, infra/compose.yaml: what the scripts do where it was started with scripts/up --docker.
# Sourced after lib.sh. $CARILLON_HOME/docker.env (0600) is the mark that the cluster runs in Docker.

DOCKER_ENV=$CARILLON_HOME/docker.env

compose() {
    local project
    project=carillon-$(cksum <<<"$CARILLON_HOME")
    CARILLON_HOME=$CARILLON_HOME CARILLON_PROJECT=${project%% *} CARILLON_PORT=${CARILLON_PORT:-$(front_port || true)} \
        docker compose --project-directory "$REPO/infra" -f "$REPO/infra/compose.yaml" "$@"
}

docker_up() { # <nodes> <port>
    if ! have docker || ! docker compose version >/dev/null 2>&1; then die "--docker needs Docker with the Compose plugin"; fi
    docker info >/dev/null 2>&1 || die "--docker needs a Docker engine that answers"
    [ ! -f "$ENV_FILE" ] || [ -f "$DOCKER_ENV" ] || die "this cluster runs without Docker; run scripts/down first"
    local nodes=$1 port=$2 token
    make_secrets
    {
        printf 'CARILLON_API_KEY=%s\n' "$(secret CARILLON_API_KEY)"
        printf 'CARILLON_JWT_SECRET=%s\n' "$(secret CARILLON_JWT_SECRET)"
        printf 'CARILLON_REDIS_PASSWORD=%s\n' "$(secret CARILLON_REDIS_PASSWORD)"
        printf 'CARILLON_REDIS_URL=redis://:%s@redis:6379\n' "$(secret CARILLON_REDIS_PASSWORD)"
    } >"$DOCKER_ENV"
    mkdir -p "$CARILLON_HOME/nginx"
    printf '%s\n' "$port" >"$CARILLON_HOME/nginx/port"
    say "Carillon: building and starting with Docker Compose"
    CARILLON_PORT=$port compose up --build --detach --wait --scale "node=$nodes" || die "Compose did not bring it up; see scripts/logs"
    docker_env
    token=$("$REPO/scripts/token" --user carillon-up --ttl 5m)
    within 30 round_trip "$port" "$token" || die "no WebSocket round trip through http://127.0.0.1:$port; see scripts/logs"
    step ready "a WebSocket went through nginx to a node and back"
    cat <<TEXT

  Open       http://127.0.0.1:$port/   (with a token from scripts/token --user u1)
  API key    CARILLON_API_KEY in $(shown "$ENV_FILE"), with the other secrets and addresses
  Then       scripts/token --user u1, scripts/status, scripts/logs, scripts/down
TEXT
}

docker_nodes() { compose ps --all --format '{{.Name}}' node | sort -V; }

docker_env() {
    local name urls=() management=() pids=()
    for name in $(docker_nodes); do
        urls+=("http://$(docker port "$name" 8080/tcp 2>/dev/null | head -n 1)")
        management+=("http://$(docker port "$name" 9091/tcp 2>/dev/null | head -n 1)")
        pids+=("$(docker inspect --format '{{.State.Pid}}' "$name")")
    done
    {
        printf 'CARILLON_URL=http://127.0.0.1:%s\n' "$(front_port)"
        printf 'CARILLON_NODE_URLS=%s\n' "$(joined "${urls[@]}")"
        printf 'CARILLON_MANAGEMENT_URLS=%s\n' "$(joined "${management[@]}")"
        # Redis publishes no port: it is reached with docker compose exec redis.
        printf 'CARILLON_REDIS_URL=redis://:%s@redis:6379\n' "$(secret CARILLON_REDIS_PASSWORD)"
        printf 'CARILLON_API_KEY=%s\n' "$(secret CARILLON_API_KEY)"
        printf 'CARILLON_JWT_SECRET=%s\n' "$(secret CARILLON_JWT_SECRET)"
        printf 'CARILLON_NODE_PIDS=%s\n' "$(joined "${pids[@]}")"
    } >"$ENV_FILE.part"
    chmod 0600 "$ENV_FILE.part"
    mv "$ENV_FILE.part" "$ENV_FILE"
}

docker_down() { # <wipe>
    compose down --remove-orphans ${1:+--volumes}
    rm -f "$DOCKER_ENV" "$ENV_FILE"
}

docker_status() { compose ps --all; }

docker_node() { # <add|kill|drain|restart> <N or nothing>
    local names count=0 name
    names=$(docker_nodes)
    count=$(wc -l <<<"$names")
    case $1 in
        add) compose up --detach --wait --no-recreate --scale "node=$((count + 1))" ;;
        *)
            if [ -n "$2" ]; then
                names=$(sed -n "${2}p" <<<"$names")
                [ -n "$names" ] || die "there is no node $2"
            fi
            for name in $names; do
                case $1 in
                    kill) docker kill "$name" ;;
                    drain) docker stop --time 90 "$name" ;;
                    restart) docker restart --time 90 "$name" && within 90 docker_healthy "$name" ;;
                esac
            done
            ;;
    esac
    docker_env
}
docker_healthy() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]; }
