package shop;

import io.carillon.model.publish.EventPublisher;
import io.carillon.model.publish.Published;
import io.carillon.model.publish.Way;
import java.util.Map;
import org.springframework.stereotype.Service;

/**
 * A Spring service that publishes. It needs the shared model on its class path and {@code spring.data.redis.*}; the
 * publisher is there by itself.
 */
@Service
public class OrderService {
    private final EventPublisher publisher;

    public OrderService(EventPublisher publisher) {
        this.publisher = publisher;
    }

    /** Durable. Called again for the same order, it is the same event. */
    public Published shipped(String user, String order) {
        return publisher.toUser(
                "push", user, "order_status", Map.of("order", order, "status", "shipped"), order + "-shipped");
    }

    /** For who is looking now; nobody misses it later. */
    public void viewing(String user, String order) {
        publisher.by(Way.PLAIN).toUser("push", user, "order_viewed", Map.of("order", order));
    }
}
