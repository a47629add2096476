// Publishes to one user from Go, with nothing but the standard library:  go run publish.go <user>
// With go-redis it is client.XAdd(ctx, &redis.XAddArgs{Stream: …, Values: …}) instead of the type below.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
)

// Redis speaks as much of the protocol as publishing needs.
type Redis struct {
	conn net.Conn
	in   *bufio.Reader
}

func (r Redis) call(words ...string) (string, error) {
	var command strings.Builder
	fmt.Fprintf(&command, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&command, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := io.WriteString(r.conn, command.String()); err != nil {
		return "", err
	}
	line, err := r.in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSpace(line)
	switch line[0] {
	case '-':
		return "", errors.New(line[1:])
	case '$':
		length, err := strconv.Atoi(line[1:])
		if err != nil || length < 0 {
			return "", err
		}
		text := make([]byte, length+2)
		_, err = io.ReadFull(r.in, text)
		return string(text[:length]), err
	}
	return line[1:], nil
}

func must(answer string, err error) string {
	if err != nil {
		log.Fatal(err)
	}
	return answer
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	user := os.Args[1]
	conn, err := net.Dial("tcp", net.JoinHostPort(env("CARILLON_REDIS_HOST", "127.0.0.1"), env("CARILLON_REDIS_PORT", "6379")))
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	redis := Redis{conn, bufio.NewReader(conn)}
	if password := os.Getenv("REDISCLI_AUTH"); password != "" {
		must(redis.call("AUTH", env("CARILLON_REDIS_USER", "default"), password))
	}

	// At most once, for who is online now; answers how many nodes got it.
	fmt.Println(must(redis.call("PUBLISH", "carillon:push:user:{"+user+"}", `{"type":"typing","content":{"by":"go"}}`)))

	// Durable; answers the entry's id. The event's own id makes a repeat harmless.
	event, _ := json.Marshal(map[string]any{
		"id": "go-" + user + "-1", "type": "order_status", "content": map[string]string{"by": "go"},
	})
	fmt.Println(must(redis.call("XADD", "carillon:ingress:{orders}", "*", "channel", "push:user:"+user, "event", string(event))))
}
