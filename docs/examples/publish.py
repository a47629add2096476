"""Publishes to one user from Python, with nothing but the standard library:  python3 publish.py <user>

With the package redis it is redis.Redis(...).xadd(stream, {"channel": …, "event": …}) instead of the class below.
"""

import json
import os
import socket
import sys


class Redis:
    """As much of the Redis protocol as publishing needs."""

    def __init__(self, host, port, user=None, password=None):
        self.socket = socket.create_connection((host, port), timeout=5)
        self.answers = self.socket.makefile("rb")
        if password:
            self.call("AUTH", *([user] if user else []), password)

    def call(self, *words):
        words = [word.encode() for word in words]
        parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
        self.socket.sendall(b"*%d\r\n%s" % (len(words), parts))
        line = self.answers.readline().rstrip(b"\r\n")
        if not line or line[:1] == b"-":
            raise RuntimeError(line[1:].decode() or "Redis closed the connection")
        if line[:1] != b"$":
            return line[1:].decode()
        return self.answers.read(int(line[1:]) + 2)[:-2].decode()


user = sys.argv[1]
redis = Redis(
    os.environ.get("CARILLON_REDIS_HOST", "127.0.0.1"),
    int(os.environ.get("CARILLON_REDIS_PORT", "6379")),
    os.environ.get("CARILLON_REDIS_USER"),
    os.environ.get("REDISCLI_AUTH"),
)

# At most once, for who is online now; answers how many nodes got it.
print(redis.call("PUBLISH", f"carillon:push:user:{{{user}}}", json.dumps({"type": "typing", "content": {"by": "python"}})))

# Durable; answers the entry's id. The event's own id makes a repeat harmless.
event = {"id": f"python-{user}-1", "type": "order_status", "content": {"by": "python"}}
print(redis.call("XADD", "carillon:ingress:{orders}", "*", "channel", f"push:user:{user}", "event", json.dumps(event)))
