package com.example.host;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.socket.TextMessage;
import org.springframework.web.socket.WebSocketSession;
import org.springframework.web.socket.config.annotation.EnableWebSocket;
import org.springframework.web.socket.config.annotation.WebSocketConfigurer;
import org.springframework.web.socket.config.annotation.WebSocketHandlerRegistry;
import org.springframework.web.socket.handler.TextWebSocketHandler;

/** Greets, counts nothing, and has a WebSocket of its own at {@code /own/ws}. */
@SpringBootApplication
@EnableWebSocket
public class HostApplication implements WebSocketConfigurer {
    public static void main(String[] arguments) {
        SpringApplication.run(HostApplication.class, arguments);
    }

    /** The application's own, and the only one as far as it knows. */
    @Bean
    Clock clock() {
        return Clock.fixed(Instant.EPOCH, ZoneOffset.UTC);
    }

    /** A name that a bean of the node has. */
    @Bean
    String publisher() {
        return "the application's";
    }

    @Override
    public void registerWebSocketHandlers(WebSocketHandlerRegistry registry) {
        registry.addHandler(
                new TextWebSocketHandler() {
                    @Override
                    protected void handleTextMessage(WebSocketSession session, TextMessage message) throws Exception {
                        session.sendMessage(
                                new TextMessage("{\"type\":\"own\",\"said\":" + message.getPayload() + "}"));
                    }
                },
                "/own/ws");
    }

    /** Its pages. */
    @RestController
    static class Pages {
        private final Clock clock;

        @Autowired
        Pages(Clock clock) {
            this.clock = clock;
        }

        @GetMapping("/hello")
        Map<String, Object> hello() {
            return Map.of("hello", clock.millis());
        }

        @GetMapping("/broken")
        String broken() {
            throw new IllegalStateException("as asked");
        }
    }

    /** Would catch what any controller in its context throws. */
    @RestControllerAdvice
    @Order(0)
    static class Advice {
        @ExceptionHandler(Exception.class)
        ResponseEntity<String> failed(Exception failure) {
            return ResponseEntity.status(418).body("the application's own answer");
        }
    }
}
