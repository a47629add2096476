package io.carillon.chaos;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Stands between one node and one Redis. It may stall, which keeps every connection and every byte but lets none
 * through, as a network that went silent; or reset, which ends the connections there are and those that come. Bytes are
 * never thrown away: a stream with a hole is no network fault.
 */
final class FaultProxy implements AutoCloseable {
    private enum State {
        PASS,
        STALL,
        RESET
    }

    private final ServerSocket server;
    private final int target;
    private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private volatile State state = State.PASS;

    FaultProxy(int port, int target) throws IOException {
        this.target = target;
        server = new ServerSocket();
        server.setReuseAddress(true);
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 512);
        Thread.ofVirtual().name("proxy").start(this::accept);
    }

    void stall() {
        become(State.STALL);
    }

    void reset() {
        become(State.RESET);
        sockets.forEach(FaultProxy::drop);
    }

    void heal() {
        become(State.PASS);
    }

    private void become(State next) {
        lock.lock();
        try {
            state = next;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                Socket from = server.accept();
                if (state == State.RESET) drop(from);
                else Thread.ofVirtual().name("proxy").start(() -> join(from));
            } catch (IOException e) {
                // Closed, or a connection that died on the way in.
            }
        }
    }

    private void join(Socket from) {
        Socket to = new Socket();
        sockets.add(from);
        sockets.add(to);
        try {
            pass();
            to.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), target), 2000);
            from.setTcpNoDelay(true);
            to.setTcpNoDelay(true);
            Thread back = Thread.ofVirtual().name("proxy").start(() -> pump(to, from));
            pump(from, to);
            back.join();
        } catch (IOException e) {
            drop(from);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            drop(from);
            drop(to);
            sockets.remove(from);
            sockets.remove(to);
        }
    }

    private void pump(Socket from, Socket to) {
        byte[] buffer = new byte[65_536];
        try {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            while (true) {
                pass();
                int read = in.read(buffer);
                if (read < 0) break;
                pass();
                out.write(buffer, 0, read);
            }
        } catch (IOException e) {
            // Either end died; the other shall know.
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        // A silent network tells nobody that the other end has gone.
        try {
            pass();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        drop(from);
        drop(to);
    }

    /** Waits while nothing gets through. */
    private void pass() throws InterruptedException {
        if (state != State.STALL) return;
        lock.lock();
        try {
            while (state == State.STALL) changed.await();
        } finally {
            lock.unlock();
        }
    }

    private static void drop(Socket socket) {
        try {
            socket.setSoLinger(true, 0);
            socket.close();
        } catch (IOException e) {
            // It is gone.
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        heal();
        sockets.forEach(FaultProxy::drop);
    }
}
