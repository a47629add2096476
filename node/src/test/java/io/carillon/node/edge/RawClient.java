package io.carillon.node.edge;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/** A WebSocket client that sends any bytes it is told to. */
final class RawClient implements AutoCloseable {
    static final String KEY = "dGhlIHNhbXBsZSBub25jZQ==";

    /** A frame of the server. */
    record Frame(int opcode, boolean fin, byte[] payload) {
        String text() {
            return new String(payload, StandardCharsets.UTF_8);
        }

        int code() {
            return payload.length < 2 ? 1005 : (payload[0] & 0xFF) << 8 | payload[1] & 0xFF;
        }
    }

    /** An answer of the server. */
    record Answer(int status, List<String> headers, String body) {
        String header(String name) {
            for (String header : headers) {
                int colon = header.indexOf(':');
                if (header.substring(0, colon).equalsIgnoreCase(name)) {
                    return header.substring(colon + 1).trim();
                }
            }
            return null;
        }
    }

    final Socket socket;
    private final InputStream in;
    private final OutputStream out;

    RawClient(Socket socket) throws IOException {
        this.socket = socket;
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(5_000);
        in = new java.io.BufferedInputStream(socket.getInputStream(), 16_384);
        out = socket.getOutputStream();
    }

    static RawClient to(int port) throws IOException {
        return new RawClient(new Socket("127.0.0.1", port));
    }

    /** The lines of a good handshake; {@code null} lines of the given are left out, those with a known name replace. */
    static String request(String target, String... changes) {
        var lines = new ArrayList<>(List.of(
                "Host: 127.0.0.1",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key: " + KEY,
                "Sec-WebSocket-Version: 13"));
        for (String change : changes) {
            boolean remove = change.startsWith("-");
            String name = remove ? change.substring(1) : change.substring(0, change.indexOf(':'));
            boolean add = change.startsWith("+");
            String prefix = name.toLowerCase(Locale.ROOT) + ":";
            if (!add) lines.removeIf(line -> line.toLowerCase(Locale.ROOT).startsWith(prefix));
            if (!remove) lines.add(add ? change.substring(1) : change);
        }
        return "GET " + target + " HTTP/1.1\r\n" + String.join("\r\n", lines) + "\r\n\r\n";
    }

    RawClient upgrade(String target, String... changes) throws IOException {
        send(request(target, changes));
        Answer answer = answerHead();
        if (answer.status != 101) throw new AssertionError("not upgraded: " + answer);
        return this;
    }

    void send(String text) throws IOException {
        send(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    void send(byte[] bytes) throws IOException {
        out.write(bytes);
        out.flush();
    }

    /** Sends what may run into a connection that the server has closed. */
    void sendWhatGoes(byte[] bytes) {
        try {
            send(bytes);
        } catch (IOException e) {
            // The server's answer is what counts.
        }
    }

    void sendByteByByte(byte[] bytes) throws IOException {
        for (byte one : bytes) send(new byte[] {one});
    }

    void hex(String... parts) throws IOException {
        send(bytes(parts));
    }

    static byte[] bytes(String... parts) {
        return HexFormat.of().parseHex(String.join("", parts).replace(" ", ""));
    }

    /** A masked frame in its shortest form. */
    static byte[] frame(int first, byte[] payload) {
        return frame(first, payload, 0);
    }

    static byte[] frame(int first, byte[] payload, int key) {
        var frame = new ByteArrayOutputStream(payload.length + 14);
        frame.write(first);
        int length = payload.length;
        if (length < 126) {
            frame.write(0x80 | length);
        } else if (length < 65536) {
            frame.write(0xFE);
            frame.write(length >> 8);
            frame.write(length);
        } else {
            frame.write(0xFF);
            for (int shift = 56; shift >= 0; shift -= 8) frame.write((int) ((long) length >> shift));
        }
        for (int shift = 24; shift >= 0; shift -= 8) frame.write(key >> shift);
        for (int i = 0; i < length; i++) frame.write(payload[i] ^ key >> 24 - 8 * (i & 3));
        return frame.toByteArray();
    }

    static byte[] text(String text) {
        return frame(0x81, text.getBytes(StandardCharsets.UTF_8), 0x37FA213D);
    }

    static byte[] repeat(byte[] bytes, int times) {
        byte[] all = new byte[bytes.length * times];
        for (int i = 0; i < times; i++) System.arraycopy(bytes, 0, all, i * bytes.length, bytes.length);
        return all;
    }

    static byte[] join(byte[]... parts) {
        var all = new ByteArrayOutputStream();
        for (byte[] part : parts) all.writeBytes(part);
        return all.toByteArray();
    }

    /** A status line and headers; null at the end of the stream. */
    Answer answerHead() throws IOException {
        String status = line();
        if (status == null) return null;
        var headers = new ArrayList<String>();
        for (String line = line(); line != null && !line.isEmpty(); line = line()) headers.add(line);
        return new Answer(Integer.parseInt(status.split(" ")[1]), headers, "");
    }

    /** A whole answer with its body; null at the end of the stream. */
    Answer answer() throws IOException {
        Answer head = answerHead();
        if (head == null) return null;
        var body = new ByteArrayOutputStream();
        String length = head.header("Content-Length");
        if (length != null) {
            body.writeBytes(in.readNBytes(Integer.parseInt(length)));
        } else if ("chunked".equalsIgnoreCase(head.header("Transfer-Encoding"))) {
            while (true) {
                int size = Integer.parseInt(line(), 16);
                body.writeBytes(in.readNBytes(size));
                line();
                if (size == 0) break;
            }
        }
        return new Answer(head.status, head.headers, body.toString(StandardCharsets.UTF_8));
    }

    private String line() throws IOException {
        var line = new ByteArrayOutputStream();
        while (true) {
            int b = read();
            if (b < 0) return line.size() == 0 ? null : line.toString(StandardCharsets.UTF_8);
            if (b == '\n') break;
            if (b != '\r') line.write(b);
        }
        return line.toString(StandardCharsets.UTF_8);
    }

    /** The next frame; null when the server closed TCP, cleanly or not. */
    Frame frame() throws IOException {
        int first = read();
        if (first < 0) return null;
        int second = read();
        if (second < 0) return null;
        long length = second & 0x7F;
        int extra = length == 126 ? 2 : length == 127 ? 8 : 0;
        if (extra > 0) {
            length = 0;
            for (int i = 0; i < extra; i++) length = length << 8 | read();
        }
        byte[] payload = in.readNBytes((int) length);
        if ((first & 0x70) != 0 || (second & 0x80) != 0) {
            throw new AssertionError("the server sent a frame with reserved bits or a mask");
        }
        return new Frame(first & 0x0F, (first & 0x80) != 0, payload);
    }

    private int read() throws IOException {
        try {
            return in.read();
        } catch (SocketTimeoutException e) {
            throw new AssertionError("the server said nothing for " + socket.getSoTimeout() + " ms", e);
        } catch (SocketException e) {
            return -1;
        }
    }

    /** Whether nothing comes for this long, and the connection stays. */
    boolean silentFor(int millis) throws IOException {
        int before = socket.getSoTimeout();
        socket.setSoTimeout(millis);
        try {
            in.mark(1);
            if (in.read() >= 0) in.reset();
            return false;
        } catch (SocketTimeoutException e) {
            return true;
        } finally {
            socket.setSoTimeout(before);
        }
    }

    /** Everything up to the end of the stream. */
    List<Frame> rest() throws IOException {
        var frames = new ArrayList<Frame>();
        for (Frame frame = frame(); frame != null; frame = frame()) frames.add(frame);
        return frames;
    }

    boolean atEnd() throws IOException {
        return read() < 0;
    }

    void reset() throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }

    static byte[] filled(int length, int value) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }
}
