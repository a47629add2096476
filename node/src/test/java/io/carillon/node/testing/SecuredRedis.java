package io.carillon.node.testing;

import io.lettuce.core.RedisURI;
import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import java.util.Objects;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A Redis that speaks TLS with a certificate of its own and knows the users of {@code infra/redis/acl}; use it as a
 * static {@code @RegisterExtension}.
 */
public final class SecuredRedis implements BeforeAllCallback, AfterAllCallback {
    public static final String USER = "carillon-node";
    public static final String PASSWORD = "of-the-user-0123456789abcdef";

    private static final Path USERS = Path.of("..", "infra", "redis", "acl");

    private Path directory;
    private RedisServer server;
    private int port;

    @Override
    public void beforeAll(ExtensionContext context) throws Exception {
        directory = Files.createTempDirectory("carillon-test-tls");
        certificate();
        String users = "user default on nopass ~* &* +@all\n";
        users += Files.readString(USERS.resolve("node.acl"));
        Path acl = Files.writeString(directory.resolve("users.acl"), users.replace("@PASSWORD@", PASSWORD));
        port = RedisServer.freePort();
        Objects.requireNonNull(RedisServer.onPath(), "tests with TLS need redis-server");
        server = RedisServer.own()
                .with("--tls-port", Integer.toString(port), "--tls-auth-clients", "no")
                .with("--tls-cert-file", certificateFile().toString())
                .with("--tls-key-file", directory.resolve("key.pem").toString())
                .with("--tls-ca-cert-file", certificateFile().toString())
                .with("--aclfile", acl.toString())
                .open();
    }

    private void certificate() throws Exception {
        Path store = directory.resolve("store.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "redis",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "SAN=ip:127.0.0.1,dns:localhost",
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
        if (keytool.waitFor() != 0) throw new IllegalStateException(said);
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (var in = new FileInputStream(store.toFile())) {
            keys.load(in, "changeit".toCharArray());
        }
        pem("cert.pem", "CERTIFICATE", keys.getCertificate("redis").getEncoded());
        pem(
                "key.pem",
                "PRIVATE KEY",
                keys.getKey("redis", "changeit".toCharArray()).getEncoded());
    }

    private void pem(String file, String what, byte[] content) throws Exception {
        String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content);
        Files.writeString(
                directory.resolve(file), "-----BEGIN %s-----\n%s\n-----END %s-----\n".formatted(what, text, what));
    }

    /** The server, by clear text, as its administrator. */
    public RedisServer server() {
        return server;
    }

    public Path certificateFile() {
        return directory.resolve("cert.pem");
    }

    /** By TLS, as a node. */
    public RedisURI uri() {
        return uri(PASSWORD);
    }

    /** The same with another password. */
    public RedisURI uri(String password) {
        return RedisURI.builder()
                .withHost("127.0.0.1")
                .withPort(port)
                .withSsl(true)
                .withAuthentication(USER, password.toCharArray())
                .build();
    }

    /** The same as text. */
    public String url() {
        return "rediss://" + USER + ":" + PASSWORD + "@127.0.0.1:" + port;
    }

    @Override
    public void afterAll(ExtensionContext context) {
        if (server != null) server.close();
        RedisServer.delete(directory);
    }
}
