package shop;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import io.carillon.model.event.Payload;
import io.carillon.model.publish.EventPublisher;
import io.carillon.model.publish.PublishException;
import java.io.IOException;
import java.util.Map;

/**
 * Takes messages from a RabbitMQ queue and publishes each to the user its header {@code user} names. A message is
 * acknowledged once Redis has the event, and its {@code message-id} is the event's id: so one that comes again, because
 * this program or Redis went away in between, is still one event.
 */
public final class RabbitBridge {
    private static final int UNDER_WAY = 100;

    private final Channel channel;
    private final EventPublisher publisher;

    public RabbitBridge(Channel channel, EventPublisher publisher) {
        this.channel = channel;
        this.publisher = publisher;
    }

    /** Starts taking from the queue; messages are handled one after the other, in their order. */
    public void consume(String queue) throws IOException {
        channel.basicQos(UNDER_WAY);
        channel.basicConsume(queue, false, (consumer, delivery) -> handle(delivery), consumer -> {});
    }

    private void handle(Delivery delivery) throws IOException {
        long tag = delivery.getEnvelope().getDeliveryTag();
        Map<String, Object> headers = delivery.getProperties().getHeaders();
        Object user = headers == null ? null : headers.get("user");
        try {
            publisher.toUser(
                    "push",
                    user == null ? "" : user.toString(),
                    delivery.getProperties().getType(),
                    Payload.ofJson(delivery.getBody()),
                    delivery.getProperties().getMessageId());
            channel.basicAck(tag, false);
        } catch (PublishException e) {
            channel.basicNack(tag, false, true); // Redis is away: again, later.
        } catch (IllegalArgumentException e) {
            channel.basicReject(tag, false); // It never can be published: to the queue's dead letters.
        }
    }
}
