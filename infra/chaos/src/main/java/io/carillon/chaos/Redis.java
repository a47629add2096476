package io.carillon.chaos;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One blocking connection to one Redis on loopback, for one thread. Replies are {@code Long}, {@code String}, lists of
 * these, or null.
 */
final class Redis implements AutoCloseable {
    /** Redis answered with an error: the command was not carried out. */
    static final class Refusal extends IOException {
        private static final long serialVersionUID = 1;

        Refusal(String message) {
            super(message);
        }

        String text() {
            return String.valueOf(getMessage());
        }
    }

    private final Socket socket;
    private final InputStream in;
    private boolean broken;

    Redis(int port, String password, int timeoutMillis) throws IOException {
        socket = new Socket();
        try {
            socket.connect(new InetSocketAddress("127.0.0.1", port), timeoutMillis);
            socket.setSoTimeout(timeoutMillis);
            socket.setTcpNoDelay(true);
            in = new BufferedInputStream(socket.getInputStream());
            if (!password.isEmpty()) call("AUTH", password);
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    /** Sends a command and waits for its reply. After any failure but a {@link Refusal} the connection is of no use. */
    @Nullable
    Object call(Object... words) throws IOException {
        var out = new ByteArrayOutputStream();
        out.writeBytes(ascii("*" + words.length + "\r\n"));
        for (Object word : words) {
            byte[] bytes = word instanceof byte[] raw ? raw : word.toString().getBytes(StandardCharsets.UTF_8);
            out.writeBytes(ascii("$" + bytes.length + "\r\n"));
            out.writeBytes(bytes);
            out.writeBytes(ascii("\r\n"));
        }
        boolean fine = false;
        try {
            out.writeTo(socket.getOutputStream());
            Object reply = reply();
            fine = true;
            return reply;
        } catch (Refusal e) {
            fine = true;
            throw e;
        } finally {
            if (!fine) broken = true;
        }
    }

    List<Object> list(Object... words) throws IOException {
        List<Object> items = new ArrayList<>();
        if (call(words) instanceof List<?> list) items.addAll(list);
        return items;
    }

    long number(Object... words) throws IOException {
        Object reply = call(words);
        return reply instanceof Long number ? number : Long.parseLong(String.valueOf(reply));
    }

    boolean broken() {
        return broken;
    }

    private @Nullable Object reply() throws IOException {
        int kind = in.read();
        if (kind < 0) throw new EOFException("Redis closed the connection");
        String line = line();
        switch (kind) {
            case '+':
                return line;
            case '-':
                throw new Refusal(line);
            case ':':
                return Long.valueOf(line);
            case '$': {
                int size = Integer.parseInt(line);
                if (size < 0) return null;
                byte[] bytes = in.readNBytes(size);
                if (bytes.length < size || in.readNBytes(2).length < 2) throw new EOFException("a reply was cut off");
                return new String(bytes, StandardCharsets.UTF_8);
            }
            case '*': {
                int size = Integer.parseInt(line);
                if (size < 0) return null;
                List<@Nullable Object> items = new ArrayList<>(size);
                Refusal refusal = null;
                for (int i = 0; i < size; i++) {
                    try {
                        items.add(reply());
                    } catch (Refusal e) {
                        refusal = e;
                    }
                }
                if (refusal != null) throw refusal;
                return items;
            }
            default:
                throw new IOException("not a RESP2 reply: " + (char) kind);
        }
    }

    private String line() throws IOException {
        var line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) throw new EOFException("Redis closed the connection");
            if (c != '\r') line.append((char) c);
        }
        return line.toString();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // Nothing is left to do for it.
        }
    }
}
