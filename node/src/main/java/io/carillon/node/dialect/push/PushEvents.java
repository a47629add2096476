package io.carillon.node.dialect.push;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.carillon.model.event.Event;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import java.io.ByteArrayOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * The native dialect as server-sent events (WHATWG HTML §9.2): an event's data is its push frame; what the node says is
 * an event of its own name. Nothing comes from the client. Pure and safe from any thread.
 */
public final class PushEvents implements Dialect {
    private static final byte[] DATA = "data: ".getBytes(US_ASCII);

    private final PushDialect push = new PushDialect();

    @Override
    public String name() {
        return "push-events";
    }

    @Override
    public boolean stream() {
        return true;
    }

    @Override
    public Command decode(byte[] text) {
        return new Command.Invalid("not_allowed", "an event stream takes nothing", null);
    }

    @Override
    public byte[] encode(Event event) {
        return block("", push.encode(event));
    }

    @Override
    public byte @Nullable [] encode(Notice notice) {
        String name = switch (notice) {
            case Notice.Drain drain -> "drain";
            case Notice.TokenExpiring expiring -> "token_expiring";
            case Notice.Degraded degraded -> "degraded";
            case Notice.Restored restored -> "restored";
            case Notice.Resync resync -> "resync";
            // Answers to what only a WebSocket can ask.
            default -> null;
        };
        return name == null ? null : block("event: " + name + "\n", push.encode(notice));
    }

    private static byte[] block(String head, byte[] json) {
        var block = new ByteArrayOutputStream(head.length() + json.length + 7);
        block.writeBytes(head.getBytes(US_ASCII));
        block.writeBytes(DATA);
        for (byte b : json) {
            // A line ends the field; in JSON it can only be white space between two tokens (RFC 8259 §2).
            block.write(b == '\n' || b == '\r' ? ' ' : b);
        }
        block.write('\n');
        return block.toByteArray();
    }
}
