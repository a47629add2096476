package io.carillon.node.edge;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same over TLS by a PEM bundle, beside HTTP/2, and with what else Reactor Netty can put into a pipeline. */
@ExtendWith(NoLeaks.class)
class TlsTest {
    @TempDir
    static Path directory;

    private static SSLContext trusting;

    @BeforeAll
    static void makeCertificate() throws Exception {
        Path store = directory.resolve("store.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "node",
                        "-keyalg",
                        "EC",
                        "-groupname",
                        "secp256r1",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "SAN=DNS:localhost,IP:127.0.0.1",
                        "-validity",
                        "2",
                        "-storetype",
                        "PKCS12",
                        "-keystore",
                        store.toString(),
                        "-storepass",
                        "changeit")
                .redirectErrorStream(true)
                .start();
        String said = new String(keytool.getInputStream().readAllBytes());
        assertThat(keytool.waitFor()).as(said).isZero();
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (var in = Files.newInputStream(store)) {
            keys.load(in, "changeit".toCharArray());
        }
        pem("node.crt", "CERTIFICATE", keys.getCertificate("node").getEncoded());
        pem(
                "node.key",
                "PRIVATE KEY",
                keys.getKey("node", "changeit".toCharArray()).getEncoded());
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("node", keys.getCertificate("node"));
        var managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(trusted);
        trusting = SSLContext.getInstance("TLS");
        trusting.init(null, managers.getTrustManagers(), null);
    }

    private static void pem(String file, String type, byte[] encoded) throws IOException {
        String base64 = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(encoded);
        Files.writeString(
                directory.resolve(file), "-----BEGIN " + type + "-----\n" + base64 + "\n-----END " + type + "-----\n");
    }

    private static EchoNode start(boolean http2, String... more) {
        String[] settings = new String[more.length + 4];
        settings[0] = "server.ssl.bundle=node";
        settings[1] = "spring.ssl.bundle.pem.node.keystore.certificate=" + directory.resolve("node.crt");
        settings[2] = "spring.ssl.bundle.pem.node.keystore.private-key=" + directory.resolve("node.key");
        settings[3] = "server.http2.enabled=" + http2;
        System.arraycopy(more, 0, settings, 4, more.length);
        return EchoNode.start(settings);
    }

    private static RawClient connect(EchoNode node, String... protocols) throws Exception {
        var socket = (SSLSocket) trusting.getSocketFactory().createSocket("127.0.0.1", node.port());
        var parameters = socket.getSSLParameters();
        parameters.setApplicationProtocols(protocols);
        socket.setSSLParameters(parameters);
        socket.startHandshake();
        return new RawClient(socket);
    }

    @ParameterizedTest(name = "HTTP/2 {0}")
    @ValueSource(booleans = {false, true})
    void sessionsAndHttpShareATlsListener(boolean http2) throws Exception {
        try (EchoNode node = start(http2)) {
            for (int i = 0; i < 10; i++) {
                try (RawClient client = i % 2 == 0 ? connect(node) : connect(node, "http/1.1")) {
                    if (i > 4) {
                        client.send("GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n");
                        assertThat(client.answer().body()).isEqualTo("hello");
                    }
                    client.upgrade("/ws", "Host: localhost:" + node.port(), "Origin: https://localhost:" + node.port());
                    byte[] large = RawClient.filled(100_000, 'x');
                    client.send(RawClient.frame(0x81, large, 0x01020304));
                    assertThat(client.frame().payload()).isEqualTo(large);
                    client.send(RawClient.frame(0x88, new byte[] {3, (byte) 0xE8}));
                    assertThat(client.frame().code()).isEqualTo(1000);
                    assertThat(client.atEnd()).isTrue();
                }
            }
            try (RawClient refused = connect(node)) {
                refused.send(RawClient.request("/ws", "Origin: https://evil.example"));
                assertThat(refused.answer().status()).isEqualTo(403);
                assertThat(refused.atEnd()).isTrue();
            }
            try (HttpClient client =
                    HttpClient.newBuilder().sslContext(trusting).build()) {
                HttpResponse<String> hello = client.send(
                        HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + node.port() + "/hello"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
                assertThat(hello.body()).isEqualTo("hello");
                assertThat(hello.version()).isEqualTo(http2 ? HttpClient.Version.HTTP_2 : HttpClient.Version.HTTP_1_1);
            }
            node.awaitEmpty();
            assertThat(EchoNode.logged()).isEmpty();
        }
    }

    @Test
    void aTlsHandshakeThatDoesNotEndIsCut() throws Exception {
        try (EchoNode node = start(true, "carillon.edge.handshake=300ms");
                RawClient nothing = node.connect();
                Socket half = new Socket("127.0.0.1", node.port())) {
            half.getOutputStream().write(new byte[] {0x16, 3, 1});
            half.setSoTimeout(5_000);
            assertThat(nothing.atEnd()).isTrue();
            assertThat(half.getInputStream().read()).isEqualTo(-1);
        }
    }

    @Test
    void clearTextHttp2BesideSessions() throws Exception {
        try (EchoNode node = EchoNode.start("server.http2.enabled=true")) {
            try (RawClient client = node.connect()) {
                client.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
                assertThat(client.answer().body()).isEqualTo("hello");
                client.send(RawClient.join(RawClient.request("/ws").getBytes(), RawClient.text("early")));
                assertThat(client.answerHead().status()).isEqualTo(101);
                assertThat(client.frame().text()).isEqualTo("early");
            }
            try (HttpClient client = HttpClient.newHttpClient()) {
                HttpResponse<String> hello = client.send(
                        HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + node.port() + "/hello"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString());
                assertThat(hello.body()).isEqualTo("hello");
                assertThat(hello.version()).isEqualTo(HttpClient.Version.HTTP_2);
            }
            node.awaitEmpty();
        }
    }

    @Test
    void compressionAccessLogMetricsAndIdleTimeoutTogether() throws Exception {
        try (EchoNode node = EchoNode.start(
                java.util.List.of(Everything.class),
                "server.compression.enabled=true",
                "server.compression.min-response-size=1",
                "server.netty.idle-timeout=200ms")) {
            for (int i = 0; i < 5; i++) {
                try (RawClient client = node.connect()) {
                    client.send("GET /hello HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
                    assertThat(client.answer().header("Content-Encoding")).isEqualTo("gzip");
                    client.upgrade("/ws");
                    // Longer than the HTTP server's idle timeout, which is not the session's.
                    assertThat(client.silentFor(400)).isTrue();
                    client.send(RawClient.text("still here"));
                    assertThat(client.frame().text()).isEqualTo("still here");
                }
            }
            node.awaitEmpty();
            assertThat(EchoNode.logged()).isEmpty();
        }
    }

    @org.springframework.context.annotation.Configuration(proxyBeanMethods = false)
    static class Everything {
        @org.springframework.context.annotation.Bean
        org.springframework.boot.web.server.WebServerFactoryCustomizer<
                        org.springframework.boot.reactor.netty.NettyReactiveWebServerFactory>
                everything() {
            return factory -> factory.addServerCustomizers(
                    server -> server.accessLog(true).metrics(true, uri -> "any"));
        }
    }
}
