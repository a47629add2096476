package io.carillon.node.testing;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A client of an event stream that reads as WHATWG HTML §9.2.6 says. */
public final class Stream implements AutoCloseable {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final long PATIENCE_SECONDS = 10;

    /** An event as a page would get it. @param id the last event id when it came */
    public record Event(String name, String data, String id) {
        public JsonNode json() {
            return JSON.readTree(data);
        }
    }

    private static final Event END = new Event("", "", "");

    private final LinkedBlockingQueue<Event> events = new LinkedBlockingQueue<>();
    private final Socket socket;
    private final BufferedReader in;
    private final Map<String, String> headers = new HashMap<>();
    private final int status;
    private volatile String lastId = "";
    private volatile int comments;

    private Stream(String method, String url, String... headers) throws IOException {
        URI address = URI.create(url);
        socket = new Socket(address.getHost(), address.getPort());
        socket.setSoTimeout((int) Duration.ofSeconds(60).toMillis());
        var request = new StringBuilder(method + " " + address.getRawPath());
        if (address.getRawQuery() != null) request.append('?').append(address.getRawQuery());
        request.append(" HTTP/1.1\r\nHost: ").append(address.getAuthority()).append("\r\n");
        for (int i = 0; i < headers.length; i += 2) {
            request.append(headers[i]).append(": ").append(headers[i + 1]).append("\r\n");
        }
        socket.getOutputStream().write(request.append("\r\n").toString().getBytes(StandardCharsets.UTF_8));
        in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
        String line = in.readLine();
        if (line == null) throw new IOException("no answer");
        status = Integer.parseInt(line.split(" ")[1]);
        for (line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {
            int colon = line.indexOf(':');
            this.headers.put(
                    line.substring(0, colon).toLowerCase(Locale.ROOT),
                    line.substring(colon + 1).trim());
        }
        if (status == 200) Thread.ofVirtual().start(this::read);
    }

    /** Opens a stream that must be accepted, and waits until it says where it stands. */
    public static Stream open(String url, String user, String channels, @Nullable String lastEventId)
            throws IOException {
        String address = url + "/api/ws/events?user_id=" + user + "&channels=" + channels;
        Stream stream = lastEventId == null ? ask("GET", address) : ask("GET", address, "Last-Event-ID", lastEventId);
        if (stream.status != 200) throw new AssertionError("answered " + stream.status + ": " + stream.body());
        Poll.until("the first id", Duration.ofSeconds(PATIENCE_SECONDS), () -> !stream.lastId.isEmpty());
        return stream;
    }

    /** Asks, whatever the answer is. */
    public static Stream ask(String method, String address, String... headers) throws IOException {
        return new Stream(method, address, headers);
    }

    public int status() {
        return status;
    }

    public @Nullable String header(String name) {
        return headers.get(name.toLowerCase(Locale.ROOT));
    }

    /** The rest of an answer that is no stream. */
    public String body() throws IOException {
        var body = new StringBuilder();
        for (int c = in.read(); c >= 0; c = in.read()) body.append((char) c);
        return body.toString();
    }

    /** What it would send as Last-Event-ID now. */
    public String lastId() {
        return lastId;
    }

    public int comments() {
        return comments;
    }

    /** The next event of a name, {@code message} where it has none; what comes before is passed over. */
    public Event next(String name) throws InterruptedException {
        var passed = new ArrayList<Event>();
        while (true) {
            Event event = events.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (event == null || event == END) throw new AssertionError("no " + name + "; came: " + passed);
            passed.add(event);
            if (event.name.equals(name)) return event;
        }
    }

    /** Everything up to the end of the stream. */
    public List<Event> rest() throws InterruptedException {
        var rest = new ArrayList<Event>();
        while (true) {
            Event event = events.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (event == null) throw new AssertionError("it does not end; came: " + rest);
            if (event == END) return rest;
            rest.add(event);
        }
    }

    private void read() {
        String name = "message";
        String id = lastId;
        var data = new StringBuilder();
        try {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.isEmpty()) {
                    lastId = id;
                    if (!data.isEmpty()) events.add(new Event(name, data.substring(0, data.length() - 1), id));
                    name = "message";
                    data.setLength(0);
                    continue;
                }
                int colon = line.indexOf(':');
                if (colon == 0) {
                    comments++;
                    continue;
                }
                String field = colon < 0 ? line : line.substring(0, colon);
                String value = colon < 0 ? "" : line.substring(colon + 1);
                if (value.startsWith(" ")) value = value.substring(1);
                switch (field) {
                    case "event" -> name = value;
                    case "data" -> data.append(value).append('\n');
                    case "id" -> id = value;
                    default -> {}
                }
            }
        } catch (IOException e) {
            // As an end.
        }
        events.add(END);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
