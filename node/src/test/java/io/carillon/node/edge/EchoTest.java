package io.carillon.node.edge;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class EchoTest {
    @Test
    void aMessageComesBack() throws Exception {
        try (EchoNode node = EchoNode.start();
                RawClient client = node.open()) {
            client.send(RawClient.text("hello, world"));
            assertThat(client.frame().text()).isEqualTo("hello, world");
            client.hex("8882 00000000 03E8");
            assertThat(client.frame().code()).isEqualTo(1000);
            assertThat(client.atEnd()).isTrue();
            client.close();
            node.awaitEmpty();
        }
        System.out.println(EchoNode.logged());
    }
}
