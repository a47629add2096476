package io.carillon.node.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** A door before the nodes that sends clients to one of them, or to none, and may cut every connection, as a crash does. */
final class Front implements AutoCloseable {
    private static final byte[] NO_UPGRADE =
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".getBytes(ISO_8859_1);

    private final ServerSocket listener = new ServerSocket(0, 100, InetAddress.getLoopbackAddress());
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final AtomicInteger connections = new AtomicInteger();
    private volatile int target;
    private volatile boolean mute;
    private volatile boolean plain;

    Front(String url) throws IOException {
        to(url);
        Thread.ofVirtual().start(this::accept);
    }

    String url() {
        return "http://127.0.0.1:" + listener.getLocalPort();
    }

    /** From now on to this node. */
    void to(String url) {
        target = URI.create(url).getPort();
        mute = false;
    }

    /** From now on to none. */
    void toNone() {
        target = 0;
    }

    /** What the node says reaches nobody any more; what it is told it hears. */
    void mute() {
        mute = true;
    }

    /** Whether WebSockets are let through, as by a proxy that knows nothing of them. */
    void webSockets(boolean let) {
        plain = !let;
    }

    /**
     * Ends every connection by a reset. All are told how to end before the first does: an orderly end right behind a
     * message is one that the JDK's client may fail to notice.
     */
    void cut() {
        Set<Socket> all = Set.copyOf(sockets);
        each(all, socket -> socket.setSoLinger(true, 0));
        each(all, Socket::close);
        sockets.removeAll(all);
    }

    private interface Step {
        void take(Socket socket) throws IOException;
    }

    private static void each(Set<Socket> sockets, Step step) {
        for (Socket socket : sockets) {
            try {
                step.take(socket);
            } catch (IOException e) {
                // It has ended by itself.
            }
        }
    }

    int connections() {
        return connections.get();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                int port = target;
                if (port == 0) {
                    client.close();
                    continue;
                }
                var node = new Socket(InetAddress.getLoopbackAddress(), port);
                connections.incrementAndGet();
                sockets.add(client);
                sockets.add(node);
                Thread.ofVirtual().start(() -> pipe(client, node, false));
                Thread.ofVirtual().start(() -> pipe(node, client, true));
            }
        } catch (IOException e) {
            // Closed.
        }
    }

    private void pipe(Socket from, Socket to, boolean answers) {
        try (from;
                to) {
            InputStream in = from.getInputStream();
            var buffer = new byte[8192];
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                if (answers && mute) continue;
                if (!answers && plain && new String(buffer, 0, read, ISO_8859_1).contains("Upgrade: websocket")) {
                    from.getOutputStream().write(NO_UPGRADE);
                    return;
                }
                to.getOutputStream().write(buffer, 0, read);
            }
        } catch (IOException e) {
            // As an end.
        }
    }

    @Override
    public void close() throws IOException {
        listener.close();
        cut();
    }
}
