package io.carillon.chaos;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A WebSocket connection (RFC 6455) read by one virtual thread; anybody may write. Pings are answered while reading.
 * Nothing is read ahead but what one buffer holds, so a reader that pauses is a slow client to the server.
 */
final class WebSocketClient implements AutoCloseable {
    /** The server did not upgrade. */
    static final class Refused extends IOException {
        private static final long serialVersionUID = 1;
        private final int status;

        Refused(int status, String line) {
            super(line);
            this.status = status;
        }

        int status() {
            return status;
        }
    }

    /** The end of a connection: a close code, 1005 where the frame had none, 1006 where there was no frame. */
    static final class Closed extends IOException {
        private static final long serialVersionUID = 1;
        private final int code;

        Closed(int code) {
            super("closed with " + code);
            this.code = code;
        }

        int code() {
            return code;
        }
    }

    private static final int PATIENCE = 10_000;
    /** Nodes ping every 25 s. */
    private static final int SILENCE = 45_000;

    private final Socket socket;
    private final DataInputStream in;
    private final OutputStream out;
    private final ReentrantLock writing = new ReentrantLock();

    private WebSocketClient(Socket socket) throws IOException {
        this.socket = socket;
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), 2048));
        out = socket.getOutputStream();
    }

    /**
     * Connects to loopback and upgrades.
     *
     * @param receiveBuffer the kernel's buffer, bytes; 0 leaves it to the kernel
     */
    static WebSocketClient connect(int port, String path, String token, int receiveBuffer) throws IOException {
        Socket socket = new Socket();
        try {
            if (receiveBuffer > 0) socket.setReceiveBufferSize(receiveBuffer);
            socket.setTcpNoDelay(true);
            socket.connect(new InetSocketAddress("127.0.0.1", port), PATIENCE);
            socket.setSoTimeout(PATIENCE + 5_000);
            var client = new WebSocketClient(socket);
            client.upgrade(port, path, token);
            socket.setSoTimeout(SILENCE);
            return client;
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private void upgrade(int port, String path, String token) throws IOException {
        String request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1:" + port
                + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13"
                + "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer " + token + "\r\n\r\n";
        out.write(request.getBytes(StandardCharsets.US_ASCII));
        String status = line();
        while (!line().isEmpty()) continue;
        String[] words = status.split(" ", 3);
        int code = words.length > 1 ? Integer.parseInt(words[1]) : 0;
        if (code != 101) throw new Refused(code, status);
    }

    private String line() throws IOException {
        var line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) throw new EOFException("closed before an answer");
            if (c != '\r') line.append((char) c);
            if (line.length() > 8192) throw new IOException("an answer without end");
        }
        return line.toString();
    }

    /** The next text message; the server's pings are answered on the way. */
    String read() throws IOException {
        var whole = new java.io.ByteArrayOutputStream(512);
        while (true) {
            int first;
            try {
                first = in.readUnsignedByte();
            } catch (EOFException e) {
                throw new Closed(1006);
            } catch (SocketTimeoutException e) {
                throw e;
            } catch (IOException e) {
                throw new Closed(1006);
            }
            byte[] payload;
            try {
                long size = in.readUnsignedByte();
                if (size == 126) size = in.readUnsignedShort();
                else if (size == 127) size = in.readLong();
                if (size < 0 || size > 16 * 1024 * 1024) throw new IOException("a frame of " + size + " bytes");
                payload = in.readNBytes((int) size);
                if (payload.length < size) throw new EOFException();
            } catch (EOFException | java.net.SocketException e) {
                throw new Closed(1006);
            }
            switch (first & 0x0f) {
                case 8 -> {
                    int code = payload.length < 2 ? 1005 : (payload[0] & 0xff) << 8 | payload[1] & 0xff;
                    try {
                        frame(8, payload);
                    } catch (IOException e) {
                        // It is over either way.
                    }
                    throw new Closed(code);
                }
                case 9 -> frame(10, payload);
                case 10 -> {}
                default -> {
                    whole.writeBytes(payload);
                    if ((first & 0x80) != 0) return whole.toString(StandardCharsets.UTF_8);
                }
            }
        }
    }

    void send(String text) throws IOException {
        frame(1, text.getBytes(StandardCharsets.UTF_8));
    }

    private void frame(int opcode, byte[] payload) throws IOException {
        byte[] whole = new byte[payload.length + 14];
        int at = 0;
        whole[at++] = (byte) (0x80 | opcode);
        if (payload.length < 126) {
            whole[at++] = (byte) (0x80 | payload.length);
        } else if (payload.length < 65_536) {
            whole[at++] = (byte) (0x80 | 126);
            whole[at++] = (byte) (payload.length >> 8);
            whole[at++] = (byte) payload.length;
        } else {
            whole[at++] = (byte) (0x80 | 127);
            for (int shift = 56; shift >= 0; shift -= 8) whole[at++] = (byte) ((long) payload.length >> shift);
        }
        at += 4; // a mask of zero
        System.arraycopy(payload, 0, whole, at, payload.length);
        writing.lock();
        try {
            out.write(whole, 0, at + payload.length);
        } finally {
            writing.unlock();
        }
    }

    /** Says goodbye; the server's answer is what the reader sees. */
    void leave() {
        try {
            frame(8, new byte[] {3, (byte) 0xe8});
        } catch (IOException e) {
            abort();
        }
    }

    /** Drops the connection without a word. */
    void abort() {
        try {
            socket.setSoLinger(true, 0);
        } catch (IOException e) {
            // Closed already.
        }
        close();
    }

    @Override
    public void close() {
        try {
            socket.close();
        } catch (IOException e) {
            // Nothing is left to do for it.
        }
    }

    /** Whether this is how a read ends when nothing came for longer than the server's heartbeat. */
    static boolean silence(@Nullable IOException e) {
        return e instanceof SocketTimeoutException;
    }
}
