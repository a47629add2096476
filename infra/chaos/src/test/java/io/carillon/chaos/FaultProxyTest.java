package io.carillon.chaos;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class FaultProxyTest {
    private ServerSocket echo;
    private FaultProxy proxy;
    private int port;

    @BeforeEach
    void start() throws IOException {
        echo = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread.ofVirtual().start(() -> {
            while (!echo.isClosed()) {
                try {
                    Socket one = echo.accept();
                    Thread.ofVirtual().start(() -> {
                        try {
                            one.getInputStream().transferTo(one.getOutputStream());
                        } catch (IOException e) {
                            // It was reset.
                        }
                    });
                } catch (IOException e) {
                    return;
                }
            }
        });
        try (var probe = new ServerSocket(0)) {
            port = probe.getLocalPort();
        }
        proxy = new FaultProxy(port, echo.getLocalPort());
    }

    @AfterEach
    void stop() throws IOException {
        proxy.close();
        echo.close();
    }

    private Socket connected() throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(10_000);
        socket.getOutputStream().write('a');
        assertThat(socket.getInputStream().read()).isEqualTo('a');
        return socket;
    }

    @Test
    void aStallKeepsEveryByteAndLetsNoneThrough() throws IOException {
        try (Socket socket = connected()) {
            proxy.stall();
            socket.getOutputStream().write("bc".getBytes());
            socket.setSoTimeout(200);
            assertThatThrownBy(() -> socket.getInputStream().read()).isInstanceOf(SocketTimeoutException.class);
            proxy.heal();
            socket.setSoTimeout(10_000);
            assertThat(socket.getInputStream().readNBytes(2)).isEqualTo("bc".getBytes());
        }
    }

    @Test
    void aResetEndsTheConnectionsThereAreAndThoseThatCome() throws IOException {
        try (Socket socket = connected()) {
            proxy.reset();
            assertThatThrownBy(() -> {
                        if (socket.getInputStream().read() < 0) throw new IOException("ended");
                    })
                    .isInstanceOf(IOException.class);
            try (Socket next = new Socket(InetAddress.getLoopbackAddress(), port)) {
                next.setSoTimeout(10_000);
                assertThatThrownBy(() -> {
                            next.getOutputStream().write('a');
                            if (next.getInputStream().read() < 0) throw new IOException("ended");
                        })
                        .isInstanceOf(IOException.class);
            }
            proxy.heal();
            connected().close();
        }
    }
}
