#!/usr/bin/env bash
# Publishes to one user with redis-cli:  publish.sh <user>
# Redis: CARILLON_REDIS_HOST, CARILLON_REDIS_PORT; REDISCLI_AUTH (redis-cli's own) keeps the password off the command line.
set -euo pipefail
user=$1
redis() { redis-cli -h "${CARILLON_REDIS_HOST:-127.0.0.1}" -p "${CARILLON_REDIS_PORT:-6379}" ${CARILLON_REDIS_USER:+--user "$CARILLON_REDIS_USER"} "$@"; }
channel="carillon:push:user:{$user}"

# At most once, for who is online now. Answers how many nodes got it.
redis PUBLISH "$channel" '{"type":"typing","content":{"by":"bash"}}'

# Durable, with the right to add to one stream and no other. Answers the entry's id. The event's own id makes a repeat harmless.
redis XADD 'carillon:ingress:{orders}' '*' channel "push:user:$user" \
    event "{\"id\":\"bash-$user-1\",\"type\":\"order_status\",\"content\":{\"by\":\"bash\"}}"

# Durable at once, for trusted services. Answers offset, epoch, timestamp, duplicate, receivers.
redis EVALSHA "$(redis HGET carillon:config publish)" 1 "$channel" \
    '{"type":"order_paid","content":{"by":"bash"}}' "bash-$user-2"
