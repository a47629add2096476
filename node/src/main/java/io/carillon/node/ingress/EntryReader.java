package io.carillon.node.ingress;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.dialect.push.PushDialect;
import io.carillon.node.dispatch.Applications;
import io.carillon.node.ingress.Reading.Fit;
import io.carillon.node.ingress.Reading.Unfit;
import io.carillon.node.session.EndpointSettings;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** Judges entries by the rules of every event. */
final class EntryReader {
    /** Content of 512 KiB, and 16 KiB for the other fields; as the publish script has it. */
    static final int MAX_EVENT = 540_672;

    private static final Unfit CHANNEL = new Unfit(
            "bad_channel",
            "channel must be <namespace>:user:<id>, <namespace>:room:<id> or " + "<namespace>:broadcast");

    private final EndpointSettings endpoints;
    private final Applications applications;

    EntryReader(EndpointSettings endpoints, Applications applications) {
        this.endpoints = endpoints;
        this.applications = applications;
    }

    /** @param service whose stream it is of */
    Reading read(String service, Entry entry) {
        String text = entry.channel();
        int colon = text.indexOf(':');
        if (colon < 0) return CHANNEL;
        String namespace = text.substring(0, colon);
        if (!endpoints.serves(namespace)) {
            return new Unfit("unknown_namespace", "the channel names a namespace that no endpoint serves");
        }
        ChannelName channel = ChannelName.parse(new Namespace(namespace), text.substring(colon + 1));
        if (channel == null) return CHANNEL;
        if (entry.size() > MAX_EVENT) {
            return new Unfit("too_large", "an event is at most " + MAX_EVENT + " bytes");
        }
        try {
            Event event = EventCodec.read(entry.event());
            if (PushDialect.RESERVED.contains(event.type())) {
                return new Unfit("reserved_type", "the type is reserved for the cluster itself: use another one");
            }
            if (event.ack() && Boolean.FALSE.equals(event.durable())) {
                return new Unfit(
                        "not_durable", "an event that is to be acknowledged is durable: leave out durable or ack");
            }
            boolean durable = endpoints.durable(channel.namespace(), event);
            String id = event.id();
            if (id == null) event = event.with().id(id(service, entry.id())).build();
            Applications.Placed placed = applications.place(channel, event);
            return new Fit(placed.channel(), placed.event(), durable);
        } catch (InvalidEventException e) {
            return new Unfit(e.code().text(), e.sentence());
        }
    }

    /** The id of an event whose service gave none: the same for the same entry, whoever reads it. */
    static String id(String service, String entry) {
        String id = "in-" + service + "-" + entry;
        return id.length() <= Ids.MAX_LENGTH ? id : "in-" + hash(service) + "-" + entry;
    }

    private static String hash(String service) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(service.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
