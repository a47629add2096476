package shop;

import io.carillon.client.CarillonClient;
import io.carillon.client.Message;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A desk that hears of orders and answers their customers. It needs {@code carillon-client} on its class path. */
public class OrderDesk {
    /** @param missed is told of a channel whose state must be loaded anew */
    public static CarillonClient open(String address, Supplier<String> tokens, Consumer<String> missed) {
        CarillonClient desk = CarillonClient.at(address).tokens(tokens).build();
        desk.on("order", order -> {
            String number = order.content().path("number").asString();
            // Handled: if this throws, an event that asks for an acknowledgement comes again.
            desk.send(Message.toUser(order.content().path("customer").asString(), "order_seen", number)
                            .withId(number + "-seen"))
                    .join();
        });
        desk.onGap(gap -> missed.accept(gap.channel()));
        desk.join("orders");
        desk.connect().join();
        return desk;
    }
}
